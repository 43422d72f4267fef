package websocket

import (
	"context"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"
)

// allSet returns options none of which has its zero value.
func allSet[T any](t *testing.T) *T {
	t.Helper()
	opts := new(T)
	v := reflect.ValueOf(opts).Elem()
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(1000 + i))
		case reflect.String:
			f.SetString(name)
		case reflect.Func:
			f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value { panic(name) }))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Struct:
			f.Field(0).SetInt(9)
		case reflect.Slice, reflect.Map, reflect.Interface:
			// how the handshake is made
		default:
			t.Fatalf("the option %s is of a kind that the test does not know: %v", name, f.Kind())
		}
	}
	return opts
}

// handedOver checks that all options in from that ConnOptions has, too, are in to.
func handedOver(t *testing.T, from any, to ConnOptions) {
	t.Helper()
	some := 0
	source, target := reflect.ValueOf(from).Elem(), reflect.ValueOf(to)
	for i := range source.NumField() {
		name := source.Type().Field(i).Name
		got := target.FieldByName(name)
		if !got.IsValid() {
			continue
		}
		some++
		if want := source.Field(i); got.Kind() == reflect.Func {
			if got.Pointer() != want.Pointer() || got.IsNil() {
				t.Errorf("%s is not handed over", name)
			}
		} else if got.Interface() != want.Interface() || want.IsZero() {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if some < 12 {
		t.Errorf("only %d options were looked at", some)
	}
}

// TestOptionsHandedOver: however a connection is made, its options reach it: none is forgotten on a way.
func TestOptionsHandedOver(t *testing.T) {
	a, d := allSet[AcceptOptions](t), allSet[DialOptions](t)
	handedOver(t, a, *a.conn())
	handedOver(t, d, *d.conn())
	if !d.conn().Client || a.conn().Client {
		t.Error("who is the client is mistaken")
	}

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	a.CheckOrigin, a.CompressionMode = nil, CompressionDisabled
	h, err := Negotiate(r, a)
	if err != nil {
		t.Fatal(err)
	}
	handedOver(t, a, h.Conn)
	if h.Conn.Context != r.Context() {
		t.Error("the context is not the request's")
	}
}

// TestOptionsAreHeard: each option of a connection changes what it is made with, and nothing else.
func TestOptionsAreHeard(t *testing.T) {
	all := allSet[ConnOptions](t)
	all.Context, all.Early = context.WithValue(t.Context(), t, t), []byte("early")
	all.CloseTimeout, all.KeepAlive = time.Minute, time.Hour
	heard := map[string]func(*config){
		"Client":         func(c *config) { c.client = true },
		"Context":        func(c *config) { c.parent = all.Context },
		"Early":          func(c *config) { c.early = all.Early },
		"Subprotocol":    func(c *config) { c.subprotocol = all.Subprotocol },
		"ReadLimit":      func(c *config) { c.readLimit = all.ReadLimit },
		"QueueLimit":     func(c *config) { c.settings.queueLimit = all.QueueLimit },
		"CloseTimeout":   func(c *config) { c.settings.closeTimeout = time.Minute },
		"KeepAlive":      func(c *config) { c.settings.keepAlive = time.Hour },
		"CloseOnCancel":  func(c *config) { c.settings.cancels = true },
		"Passive":        func(c *config) { c.settings.passive = true },
		"AnyText":        func(c *config) { c.settings.anyText = true },
		"OnPingReceived": func(c *config) { c.settings.onPing = all.OnPingReceived },
		"OnPongReceived": func(c *config) { c.settings.onPong = all.OnPongReceived },
		"Trace":          func(c *config) { c.settings.trace = all.Trace },
	}
	for _, inCompression := range []string{"Extensions", "Offered", "CompressionThreshold", "CompressionTuning"} {
		heard[inCompression] = func(*config) {}
	}
	for i := range reflect.TypeFor[ConnOptions]().NumField() {
		name := reflect.TypeFor[ConnOptions]().Field(i).Name
		one := new(ConnOptions)
		reflect.ValueOf(one).Elem().Field(i).Set(reflect.ValueOf(all).Elem().Field(i))
		got, want := one.config(), new(ConnOptions).config()
		if heard[name] == nil {
			t.Errorf("%s is not heard, or this test does not know it", name)
			continue
		}
		heard[name](&want)
		if !sameConfig(got, want) {
			t.Errorf("%s makes %+v, want %+v", name, got, want)
		}
	}
}

// sameConfig compares functions, too. A period is up to a quarter less than asked for, at random.
func sameConfig(a, b config) bool {
	if (a.settings.onPing == nil) != (b.settings.onPing == nil) || (a.settings.onPong == nil) != (b.settings.onPong == nil) ||
		a.settings.keepAlive > 2*b.settings.keepAlive || b.settings.keepAlive > 2*a.settings.keepAlive {
		return false
	}
	for _, s := range []*settings{&a.settings, &b.settings} {
		s.onPing, s.onPong, s.keepAlive = nil, nil, 0
	}
	return reflect.DeepEqual(a, b)
}
