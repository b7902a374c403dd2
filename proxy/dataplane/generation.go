package dataplane

import (
	"context"

	"signalbox.dev/signalbox/proxy/usage"
)

// generation is what this replica knows of a request, for another one.
func (d *DataPlane) generation(id string) ([]byte, bool) {
	record, found := d.recent.ByID(id)
	if !found {
		return nil, false
	}
	return usage.AppendJSON(nil, record), true
}

// askGeneration finds the record of a request that this replica did not answer itself. What another replica says is taken only if it is of that request.
func (d *DataPlane) askGeneration(ctx context.Context, id string) (*usage.Record, bool) {
	if d.mesh == nil {
		return nil, false
	}
	var answer *usage.Record
	found := d.mesh.Generation(ctx, id, func(known []byte) bool {
		record, err := usage.Parse(known)
		if err != nil || record.ID != id {
			d.options.Log.Warn("what a replica knows of a request cannot be read", "bytes", len(known))
			return false
		}
		answer = record
		return true
	})
	return answer, found
}
