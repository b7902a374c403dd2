package collection

import (
	"fmt"
	"strings"
)

const curlIntro = `# Calls with curl

One example of each call, made from the same source as the [Postman collection](postman/signalbox.json); both are run against the proxy by
` + "`make conformance`" + `. Set first:

` + "```sh\n"

// Curl is a page of commands.
func Curl() string {
	var out strings.Builder
	out.WriteString(curlIntro)
	for _, v := range Variables() {
		value := v.Value
		if value == "" {
			value = "..."
		}
		fmt.Fprintf(&out, "%s=%-24s # %s\n", shellName(v.Name), value, v.About)
	}
	out.WriteString("```\n")
	for _, folder := range Folders() {
		fmt.Fprintf(&out, "\n## %s\n%s\n", folder.Name, folder.About)
		for _, call := range folder.Calls {
			fmt.Fprintf(&out, "\n### %s\n```sh\n%s\n```\n", call.Name, command(call))
		}
	}
	return out.String()
}

// command is a call as a command for the shell.
func command(call Call) string {
	words := []string{"curl"}
	if call.Stream {
		words = append(words, "-N")
	}
	if call.Binary != "" {
		words = append(words, "-o", call.Binary)
	}
	words = append(words, double("{{url}}"+call.Path))
	key := `-H "Authorization: Bearer $KEY"`
	if call.KeyHeader != "" {
		key = fmt.Sprintf(`-H "%s: $KEY"`, call.KeyHeader)
	}
	lines := []string{strings.Join(append(words, key), " ")}
	for _, h := range call.Header {
		lines = append(lines, fmt.Sprintf("-H '%s: %s'", h.Name, h.Value))
	}
	switch {
	case call.Body != "":
		lines = append(lines, "-H 'Content-Type: application/json'", "-d "+single(call.Body))
	case len(call.Form) > 0:
		for _, f := range call.Form {
			value := f.Value
			if f.File != "" {
				value = "@" + f.File
			}
			lines = append(lines, "-F "+double(f.Name+"="+value))
		}
	}
	return strings.Join(lines, " \\\n  ")
}

// shellName is a variable's name as shells have them: "embeddingModel" is EMBEDDING_MODEL.
func shellName(name string) string {
	var out strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			out.WriteByte('_')
		}
		out.WriteRune(r)
	}
	return strings.ToUpper(out.String())
}

// expand puts a reference to the shell's variable for each {{name}}.
func expand(text string, reference func(name string) string) string {
	for _, v := range Variables() {
		text = strings.ReplaceAll(text, "{{"+v.Name+"}}", reference(shellName(v.Name)))
	}
	return text
}

// double quotes text that has no quotes and no dollar of its own.
func double(text string) string {
	return `"` + expand(text, func(name string) string { return "${" + name + "}" }) + `"`
}

// single quotes text, with the variables outside of the quotes.
func single(text string) string {
	return "'" + expand(strings.ReplaceAll(text, "'", `'\''`), func(name string) string { return `'"$` + name + `"'` }) + "'"
}
