package hijack

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

type unwraps struct{ w http.ResponseWriter }

func (u *unwraps) Header() http.Header         { return u.w.Header() }
func (u *unwraps) WriteHeader(status int)      { u.w.WriteHeader(status) }
func (u *unwraps) Write(p []byte) (int, error) { return u.w.Write(p) }
func (u *unwraps) Unwrap() http.ResponseWriter { return u.w }

type hides struct{ w http.ResponseWriter }

func (h hides) Header() http.Header         { return h.w.Header() }
func (h hides) WriteHeader(status int)      { h.w.WriteHeader(status) }
func (h hides) Write(p []byte) (int, error) { return h.w.Write(p) }

// TestFind: this version of net/http has what is looked for. Where it fails, wrappers are still served, but nobody sees
// what they do to an answer: see fieldsOf.
func TestFind(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ways := map[string]http.ResponseWriter{"itself": w, "Unwrap": &unwraps{w}, "a field": hides{w}, "both": &unwraps{hides{&unwraps{w}}}}
		for name, w := range ways {
			if found := find(w); !found.known() || found.status() != 0 || Answered(w) {
				t.Errorf("%s: %t, status %d", name, found.known(), found.status())
			}
		}
		w.Header().Set("X-Room", "blue")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "yes")
		for name, w := range ways {
			found := find(w)
			if h := found.header(); found.status() != http.StatusTeapot || !Answered(w) || len(h) != 1 || len(h["X-Room"]) != 1 || h["X-Room"][0] != "blue" {
				t.Errorf("%s: status %d, %v", name, found.status(), h)
			}
		}
		if find(hides{w}).writer(nil) != nil || find(&unwraps{w}).writer(nil) != w {
			t.Error("a ResponseWriter is not what was wrapped")
		}
	}))
	defer srv.Close()
	if _, err := http.Get(srv.URL); err != nil {
		t.Fatal(err)
	}
}

// TestFindTakenOver: it is seen that the connection was taken over.
func TestFindTakenOver(t *testing.T) {
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		nc, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		for name, w := range map[string]http.ResponseWriter{"itself": w, "Unwrap": &unwraps{w}, "a field": hides{w}} {
			if !find(w).takenOver() || find(w).status() != 0 || !Answered(w) {
				t.Errorf("%s looks as if it could be taken over", name)
			}
		}
	}))
	defer srv.Close()
	if resp, err := http.Get(srv.URL); err == nil {
		t.Errorf("there was a response, %s", resp.Status)
	}
	<-done
}

// TestFindNothing: other ResponseWriters, and those that lead nowhere, are not taken for net/http's.
func TestFindNothing(t *testing.T) {
	loop := &unwraps{}
	loop.w = loop
	for name, w := range map[string]http.ResponseWriter{
		"a recorder": httptest.NewRecorder(), "a wrapped recorder": &unwraps{hides{httptest.NewRecorder()}}, "nothing": hides{}, "nothing behind Unwrap": &unwraps{}, "a circle": loop,
	} {
		if find(w).known() || Possible(w) || Own(w) {
			t.Errorf("%s is taken for net/http's", name)
		}
	}
}
