package world

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"signalbox.dev/signalbox/hack/conformance/collection"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// soundBytes is an eighth of a second at 8,000 samples of two bytes a second.
const soundBytes = 2000

// Examples are the models for the variables of the Postman collection, and the folder with the files that it sends.
func Examples(folder string) (variables map[string]string, uploads string, err error) {
	uploads = filepath.Join(folder, "uploads")
	if err := os.MkdirAll(uploads, 0o700); err != nil {
		return nil, "", fmt.Errorf("making the folder of uploads: %w", err)
	}
	picture, err := base64.StdEncoding.DecodeString(collection.Pixel)
	if err != nil {
		return nil, "", fmt.Errorf("decoding the picture: %w", err)
	}
	for name, content := range map[string][]byte{collection.PictureFile: picture, collection.SoundFile: silence()} {
		if err := os.WriteFile(filepath.Join(uploads, name), content, 0o600); err != nil {
			return nil, "", fmt.Errorf("writing an upload: %w", err)
		}
	}
	return map[string]string{
		"model": Alias("openai", plan.Priced), "otherModel": Alias("openai", plan.Chat), "completionModel": Alias("openai", plan.Completion), "embeddingModel": Alias("openai", plan.Embedding),
		"rerankModel": Alias("cohere", plan.Rerank), "moderationModel": Alias("openai", plan.Moderation), "imageModel": Alias("openai", plan.Image),
		"speechModel": Alias("openai", plan.Speech), "transcriptionModel": Alias("openai", plan.Transcription),
	}, uploads, nil
}

// silence is a WAV file.
func silence() []byte {
	out := append([]byte("RIFF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(out[4:], 36+soundBytes)
	out = append(out, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"...)
	out = binary.LittleEndian.AppendUint32(out, soundBytes)
	return append(out, make([]byte, soundBytes)...)
}
