package telemetry_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry"
)

// noting returns a Trace with all functions, which note their names behind name.
func noting(name string, mu *sync.Mutex, notes *[]string, closed chan<- bool) *websocket.Trace {
	trace := new(websocket.Trace)
	v := reflect.ValueOf(trace).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		v.Field(i).Set(reflect.MakeFunc(field.Type, func([]reflect.Value) []reflect.Value {
			mu.Lock()
			*notes = append(*notes, name+" "+field.Name)
			mu.Unlock()
			if field.Name == "Closed" {
				closed <- true
			}
			return nil
		}))
	}
	return trace
}

// TestJoin: each function of each Trace is called, in order.
func TestJoin(t *testing.T) {
	var mu sync.Mutex
	var notes []string
	closed := make(chan bool, 2)
	a, b := noting("a", &mu, &notes, closed), noting("b", &mu, &notes, closed)
	if telemetry.Join(nil, a) != a {
		t.Error("one is joined with nothing")
	}
	joined := telemetry.Join(a, nil, &websocket.Trace{}, b)
	v := reflect.ValueOf(joined).Elem()
	for i := range v.NumField() { // none of them is forgotten
		f := v.Field(i)
		args := make([]reflect.Value, f.Type().NumIn())
		for j := range args {
			args[j] = reflect.Zero(f.Type().In(j))
		}
		f.Call(args)
		name := v.Type().Field(i).Name
		if want := []string{"a " + name, "b " + name}; !slices.Equal(notes, want) {
			t.Errorf("%q, want %q", notes, want)
		}
		notes = nil
	}
	<-closed
	<-closed

	srv := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) }))
	defer srv.Close()
	c, _, err := websocket.Dial(context.Background(), srv.URL, &websocket.DialOptions{Trace: joined})
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
	<-closed
	<-closed
	mu.Lock()
	defer mu.Unlock()
	if want := "[a HandshakeDone b HandshakeDone a StateChanged b StateChanged a Closed b Closed]"; fmt.Sprint(notes) != want {
		t.Errorf("%q, want %s", notes, want)
	}
}

// TestCode: labels are few.
func TestCode(t *testing.T) {
	for code, want := range map[websocket.StatusCode]string{1000: "1000", 1006: "1006", 3000: "3xxx", 3999: "3xxx", 4000: "4xxx", 4999: "4xxx"} {
		if got := telemetry.Code(code); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
}
