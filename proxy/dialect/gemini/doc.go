// Package gemini speaks Google's generateContent and streamGenerateContent, as the Gemini API and Vertex AI have them: as a surface, as an upstream, and in
// passing from one to the other; and the requests for vectors of both. Member names are read in camelCase and in snake_case, as Google itself takes them.
//
// A seal of Gemini's thinking ("thoughtSignature") belongs to a part and not to the thinking. In the neutral form it is a Thought of its own before that
// part, whose ID is that of the tool call where the part is one: so it finds its call again through dialects that do not keep the order. Seals of other
// vendors are handed to clients of this dialect inside a "thoughtSignature" too, marked with their origin, and never go to Google.
package gemini
