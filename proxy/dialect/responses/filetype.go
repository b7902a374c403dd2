package responses

import (
	"path"
	"strings"
)

// fileTypes are the media types of documents that providers read, with the extensions of their names.
var fileTypes = [...]struct{ extension, mime string }{
	{".pdf", "application/pdf"},
	{".txt", "text/plain"},
	{".md", "text/markdown"},
	{".csv", "text/csv"},
	{".html", "text/html"},
	{".xml", "application/xml"},
	{".json", "application/json"},
	{".rtf", "application/rtf"},
	{".doc", "application/msword"},
	{".xls", "application/vnd.ms-excel"},
	{".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
}

// typeOfName is the media type that a file's name suggests; empty when it suggests none.
func typeOfName(name string) string {
	extension := strings.ToLower(path.Ext(name))
	for _, t := range fileTypes {
		if t.extension == extension {
			return t.mime
		}
	}
	return ""
}

// nameOfType is a name for a file of a media type that came without one: the API wants one.
func nameOfType(mime string) string {
	for _, t := range fileTypes {
		if t.mime == mime {
			return "file" + t.extension
		}
	}
	return "file"
}
