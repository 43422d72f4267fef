package main

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"slices"
	"testing"
)

func TestJSONPayload(t *testing.T) {
	p := jsonPayload(1<<10, 7)
	if !json.Valid(p) {
		t.Errorf("not JSON: %s", p)
	}
	if len(p) < 1<<10 || len(p) > 1200 {
		t.Errorf("%d bytes", len(p))
	}
	if bytes.Equal(p, jsonPayload(1<<10, 8)) {
		t.Error("two seeds give the same message")
	}
}

func TestDeflatedIsUndone(t *testing.T) {
	want := jsonPayload(1<<10, 1)
	p, err := deflated(want)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 7692, section 7.2.2: append 0x00 0x00 0xff 0xff, then inflate; an empty final block ends it.
	got, err := io.ReadAll(flate.NewReader(bytes.NewReader(append(slices.Clone(p), 0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff))))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("what comes out is not what went in")
	}
}

func TestPayloadIsNotAnswered(t *testing.T) {
	sink := order{Sink: true}
	p := payload(64)
	if got := sink.answer(p); got != nil {
		t.Errorf("a sink answers %v", got)
	}
	p[0] = answerPlease
	if got := sink.answer(p); len(got) != 1 {
		t.Errorf("a sink answers %d bytes to the last message, want 1", len(got))
	}
	if got := (order{}).answer(p); !bytes.Equal(got, p) {
		t.Error("an echo is not what was sent")
	}
}

func TestUpgradeResponse(t *testing.T) {
	head, _, ok := splitHead(upgradeRequest(order{}))
	if !ok {
		t.Fatal("the request has no end")
	}
	answer, rest, ok := splitHead(append(upgradeResponse(head), "more"...))
	if !ok || string(rest) != "more" {
		t.Fatalf("rest %q, whole %t", rest, ok)
	}
	if err := checkUpgrade(answer, false, false); err != nil {
		t.Error(err)
	}
	if err := checkUpgrade(answer, true, false); err == nil {
		t.Error("an answer without permessage-deflate passes where it was wanted")
	}
}
