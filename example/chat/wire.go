package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/closeonce/websocket"
)

// What goes over the WebSocket: one JSON object in each text message.

// A request is what a page asks for.
type request struct {
	Type string `json:"type"` // "say" or "rename"
	Text string `json:"text"` // what to say
	Tag  string `json:"tag"`  // a random name of the remark
	Name string `json:"name"` // the new name
}

// welcome is the first event that a page gets.
type welcome struct {
	Type    string   `json:"type"` // "welcome"
	You     person   `json:"you"`
	Here    []person `json:"here"` // you included
	History []remark `json:"history"`
}

// presence says that somebody came, left or has a new name.
type presence struct {
	Type string `json:"type"` // "join", "leave" or "rename"
	person
}

// spoken says that somebody said something.
type spoken struct {
	Type string `json:"type"` // "say"
	remark
}

type person struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

type remark struct {
	From person `json:"from"`
	Text string `json:"text"`
	Tag  string `json:"tag"`
	At   int64  `json:"at"` // milliseconds since 1970

	event *websocket.PreparedMessage // that tells it
}

// maxTag is how long a tag may be; pages use 36 bytes.
const maxTag = 40

// decode decodes a request, and cleans what is in it.
func decode(p []byte) (request, error) {
	var q request
	err := json.Unmarshal(p, &q)
	q.Text, q.Tag, q.Name = clean(q.Text, maxText), clean(q.Tag, maxTag), cleanName(q.Name)
	return q, err
}

// encode encodes an event. Pages put names and texts into text nodes, never
// into HTML, so nothing needs escaping for that.
func encode(event any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		panic(err) // the types above can be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// clean returns s without what can't be seen, line breaks and the joiner of
// emoji excepted, and without space around it; at most limit runes of it.
func clean(s string, limit int) string {
	const joiner = '\u200d'
	s = strings.Map(func(c rune) rune {
		if unicode.IsGraphic(c) || c == '\n' || c == joiner {
			return c
		}
		return -1
	}, s)
	s = strings.TrimSpace(s)
	for i := range s {
		if limit == 0 {
			return strings.TrimSpace(s[:i])
		}
		limit--
	}
	return s
}

// cleanName is clean for a name, which has one line.
func cleanName(s string) string {
	return clean(strings.Join(strings.Fields(s), " "), maxName)
}
