package main

import (
	"slices"
	"testing"
)

func TestWanted(t *testing.T) {
	for _, test := range []struct {
		list, name string
		want       bool
	}{
		{"", "echo64", true},
		{"echo1k,echo64", "echo64", true},
		{"echo1", "echo1k", false},
		{"client*,tls64", "client16k", true},
		{"client*,tls64", "tls16k", false},
	} {
		if got := wanted(test.list, test.name); got != test.want {
			t.Errorf("wanted(%q, %q) = %t", test.list, test.name, got)
		}
	}
}

func TestAffordable(t *testing.T) {
	conns := []int{100, 1000, 50_000}
	if got, want := affordable(conns, 20_000), []int{100, 1000, 19_000}; !slices.Equal(got, want) {
		t.Errorf("with 20,000 files: %v, want %v", got, want)
	}
	if got := affordable(conns, 60_000); !slices.Equal(got, conns) {
		t.Errorf("with 60,000 files: %v, want %v", got, conns)
	}
	if got, want := affordable(conns, 1300), []int{100, 1000}; !slices.Equal(got, want) {
		t.Errorf("with 1,300 files: %v, want %v", got, want)
	}
}
