package jsonscan

// Lookup returns the JSON text of the value that stands at a path of member names in an object; nil when there is none. data was checked, by Value for
// example. Of two members of the same name the first one counts.
func Lookup(data []byte, path ...string) []byte {
	at := Space(data, 0)
	for _, name := range path {
		if at = find(data, at, name); at < 0 {
			return nil
		}
	}
	end, err := Value(data, at)
	if err != nil {
		return nil
	}
	return data[at:end]
}

// find returns where the value of an object's member starts; -1 when there is no such member, or no object.
func find(data []byte, at int, name string) int {
	if at >= len(data) || data[at] != '{' {
		return -1
	}
	walk := WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if string(member.Name(data)) == name {
			return member.Value
		}
	}
	return -1
}
