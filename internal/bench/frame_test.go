package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func TestAppendFrame(t *testing.T) {
	tests := []struct {
		name    string
		first   byte
		masked  bool
		payload []byte
		want    string
	}{
		{"rfc6455_5.7_unmasked_hello", bitFin | opText, false, []byte("Hello"), "810548656c6c6f"},
		{"rfc6455_5.7_masked_hello", bitFin | opText, true, []byte("Hello"), "818537fa213d7f9f4d5158"},
		{"empty", bitFin | opBinary, true, nil, "828037fa213d"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := hex.EncodeToString(appendFrame(nil, test.first, test.masked, test.payload)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAppendFrameLengths(t *testing.T) {
	for size, want := range map[int]string{
		125:   "827d",
		126:   "827e007e",
		65535: "827effff",
		65536: "827f0000000000010000",
	} {
		frame := appendFrame(nil, bitFin|opBinary, false, make([]byte, size))
		if got := hex.EncodeToString(frame[:len(frame)-size]); got != want {
			t.Errorf("header for %d bytes: %s, want %s", size, got, want)
		}
	}
}

// messages is a stream of four messages, one of them in two fragments with a ping between.
func messages() (stream []byte, payloads []byte) {
	for _, size := range []int{0, 125, 126, 70_000} {
		p := payload(size)
		payloads = append(payloads, p...)
		if size == 126 {
			stream = appendFrame(stream, opBinary, true, p[:100])
			stream = appendFrame(stream, bitFin|0x9, true, []byte("ping"))
			stream = appendFrame(stream, bitFin, false, p[100:])
			continue
		}
		stream = appendFrame(stream, bitFin|opBinary, size == 125, p)
	}
	return stream, payloads
}

func TestScannerWhateverTheReads(t *testing.T) {
	stream, payloads := messages()
	for _, chunk := range []int{1, 2, 3, 7, 64, 4096, len(stream)} {
		s := scanner{keep: true}
		count := 0
		for rest := stream; len(rest) > 0; {
			n := min(chunk, len(rest))
			got, err := s.feed(rest[:n])
			if err != nil {
				t.Fatalf("chunks of %d: %v", chunk, err)
			}
			count += got
			rest = rest[n:]
		}
		if count != 4 {
			t.Errorf("chunks of %d: %d messages, want 4", chunk, count)
		}
		if !bytes.Equal(s.kept, payloads) {
			t.Errorf("chunks of %d: the payloads differ", chunk)
		}
	}
}

func TestScannerReportsClose(t *testing.T) {
	stream := appendFrame(nil, bitFin|opText, false, []byte("last"))
	stream = appendFrame(stream, bitFin|opClose, false, []byte{0x03, 0xe8})
	var s scanner
	count, err := s.feed(stream)
	if count != 1 || !errors.Is(err, errPeerClosed) {
		t.Errorf("got %d messages and %v, want 1 and %v", count, err, errPeerClosed)
	}
}

func TestScannerLengthPrefixed(t *testing.T) {
	var stream []byte
	for _, size := range []int{3, 0, 300} {
		stream = appendLengthPrefixed(stream, payload(size))
	}
	s := scanner{framing: framingLength}
	count := 0
	for i := range stream {
		got, err := s.feed(stream[i : i+1])
		if err != nil {
			t.Fatal(err)
		}
		count += got
	}
	if count != 3 {
		t.Errorf("%d messages, want 3", count)
	}
}
