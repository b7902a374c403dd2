package compile

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// highestTokenCount bounds the sizes of contexts and answers.
	highestTokenCount = 100_000_000
	// longestRegion bounds the name of a region.
	longestRegion = 63
)

// declared reads what a target says of itself.
func (c *complaints) declared(spec *v1alpha1.TargetDeclaration, path string) table.Declared {
	if spec == nil {
		return table.Declared{}
	}
	read := table.Declared{
		ContextTokens:   c.number(spec.ContextTokens, span{1, highestTokenCount}, path+".contextTokens"),
		MaxOutputTokens: c.number(spec.MaxOutputTokens, span{1, highestTokenCount}, path+".maxOutputTokens"),
		DataPolicy:      c.dataPolicy(spec.DataPolicy, path+".dataPolicy"),
	}
	if spec.Capabilities != nil {
		read.CapabilitiesKnown = true
		read.Capabilities = c.capabilities(*spec.Capabilities, path+".capabilities")
	}
	if spec.Quantization != "" {
		read.Quantization = string(word(c, spec.Quantization, knownQuantizations(), path+".quantization"))
	}
	return read
}

// require reads what leaves out targets.
func (c *complaints) require(spec *v1alpha1.RouteRequirements) table.Requirements {
	const path = "spec.require"
	if spec == nil {
		return table.Requirements{}
	}
	return table.Requirements{
		Capabilities:     c.capabilities(spec.Capabilities, path+".capabilities"),
		DataPolicy:       c.dataPolicy(spec.DataPolicy, path+".dataPolicy"),
		MinContextTokens: c.number(spec.MinContextTokens, span{1, highestTokenCount}, path+".minContextTokens"),
		MaxPrice:         c.maxPrice(spec.MaxPrice, path+".maxPrice"),
	}
}

// capabilities reads a set of capabilities by the names that the table has for them.
func (c *complaints) capabilities(spec []v1alpha1.ModelCapability, path string) table.Capabilities {
	const all = table.Tools | table.Vision | table.Files | table.Audio | table.StructuredOutput | table.Reasoning | table.LogProbs
	names := all.Names()
	known := make([]v1alpha1.ModelCapability, len(names))
	for i, name := range names {
		known[i] = v1alpha1.ModelCapability(name)
	}
	var read table.Capabilities
	for _, capability := range words(c, spec, known, path) {
		if i := slices.Index(known, capability); i >= 0 {
			read |= 1 << i
		}
	}
	return read
}

// dataPolicy reads how data is treated, or has to be: only the strict values say anything.
func (c *complaints) dataPolicy(spec *v1alpha1.DataPolicy, path string) table.DataPolicy {
	if spec == nil {
		return table.DataPolicy{}
	}
	if spec.Collection != "" {
		word(c, spec.Collection, []v1alpha1.DataCollection{v1alpha1.DataCollectionDeny, v1alpha1.DataCollectionAllow}, path+".collection")
	}
	if spec.Retention != "" {
		word(c, spec.Retention, []v1alpha1.DataRetention{v1alpha1.DataRetentionZero, v1alpha1.DataRetentionAny}, path+".retention")
	}
	if len(spec.Region) > longestRegion || strings.ContainsFunc(spec.Region, notPrintable) {
		c.invalid(path+".region", "a region has at most 63 printable characters")
	}
	return table.DataPolicy{
		NoCollection: spec.Collection == v1alpha1.DataCollectionDeny,
		NoRetention:  spec.Retention == v1alpha1.DataRetentionZero,
		Region:       spec.Region,
	}
}

func knownQuantizations() []v1alpha1.Quantization {
	return []v1alpha1.Quantization{"int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown"}
}
