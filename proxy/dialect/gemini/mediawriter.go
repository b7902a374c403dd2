package gemini

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// mediaPart writes an image, sound, film or document.
func (c *contentWriter) mediaPart(p *neutral.Part, at place) error {
	if err := c.checkMedia(p, at); err != nil {
		return err
	}
	if p.Media.Context != "" {
		c.text(p.Media.Context)
	}
	c.dst = appendMedia(comma(c.dst), c.unnamed(p.Media), mimeOf(p.Media), c.takeSeal())
	return nil
}

// unnamed is the media without its name, unless it was Google's "displayName": Google takes that in few places only.
func (c *contentWriter) unnamed(m *neutral.Media) *neutral.Media {
	if c.own() || m.Name == "" {
		return m
	}
	unnamed := *m
	unnamed.Name = ""
	return &unnamed
}

// checkMedia finds what keeps a part from being sent. Google itself fetches public addresses, where the provider is not known to refuse them.
func (c *contentWriter) checkMedia(p *neutral.Part, at place) error {
	member := mediaMember(p.Kind)
	quirks := c.to.Quirks
	switch {
	case p.Media == nil:
		return at.unsupported(member, "it has no content")
	case p.Kind == neutral.ImagePart && quirks.NoImages:
		return at.unsupported(member, "images are not read")
	case p.Kind == neutral.AudioPart && quirks.NoAudio:
		return at.unsupported(member, "audio is not read")
	case p.Kind == neutral.FilePart && quirks.NoFiles:
		return at.unsupported(member, "files are not read")
	}
	if problem := c.addressProblem(p.Media); problem != "" {
		return at.unsupported(member, problem)
	}
	if mimeOf(p.Media) == "" && !isYouTube(p.Media.URL) {
		return at.unsupported(member, "its media type is not told, and Gemini models need it; send it as a data: URL")
	}
	return nil
}

// addressProblem says why Google cannot fetch what stands at the address; empty when it can.
func (c *contentWriter) addressProblem(m *neutral.Media) string {
	scheme, _, _ := strings.Cut(m.URL, ":")
	switch {
	case m.FileID != "":
		if url, _ := splitURI(m.FileID); url != "" {
			return "the id of a file that was uploaded elsewhere means nothing to Google; send the file itself"
		}
		return ""
	case m.URL == "" || scheme == "gs" || isYouTube(m.URL):
		return ""
	case scheme != "https" && scheme != "http":
		return "Google cannot fetch this kind of address; send the content as base64"
	case c.to.Quirks.NoImageURLs:
		return "addresses are not fetched; send the content as base64"
	}
	return ""
}

// mediaMember is what OpenAI calls the content of a part.
func mediaMember(kind neutral.PartKind) string {
	switch kind {
	case neutral.ImagePart:
		return "image_url"
	case neutral.AudioPart:
		return "input_audio"
	case neutral.VideoPart:
		return "video_url"
	default:
		return "file"
	}
}
