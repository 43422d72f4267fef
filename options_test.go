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
	handedOver(t, a, a.conn())
	handedOver(t, d, d.conn())
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

// TestOptionsAreHeard: each option of a connection changes what it is made with.
func TestOptionsAreHeard(t *testing.T) {
	all := allSet[ConnOptions](t)
	all.Context, all.Early = context.WithValue(t.Context(), t, t), []byte("early")
	all.CloseTimeout, all.KeepAlive = time.Minute, time.Hour
	inCompression := map[string]bool{"Extensions": true, "Offered": true, "CompressionThreshold": true, "CompressionTuning": true}
	plain := new(ConnOptions).config()
	for i := range reflect.TypeFor[ConnOptions]().NumField() {
		name := reflect.TypeFor[ConnOptions]().Field(i).Name
		one := new(ConnOptions)
		reflect.ValueOf(one).Elem().Field(i).Set(reflect.ValueOf(all).Elem().Field(i))
		cfg := one.config()
		cfg.settings.keepAlive = cfg.settings.keepAlive.Truncate(10 * time.Minute) // it is spread at random
		plain.settings.keepAlive = plain.settings.keepAlive.Truncate(10 * time.Minute)
		if heard := !sameConfig(cfg, plain); heard == inCompression[name] {
			t.Errorf("%s changes the config: %v", name, heard)
		}
	}
}

// sameConfig compares functions, too.
func sameConfig(a, b config) bool {
	if (a.settings.onPing == nil) != (b.settings.onPing == nil) || (a.settings.onPong == nil) != (b.settings.onPong == nil) {
		return false
	}
	a.settings.onPing, a.settings.onPong, b.settings.onPing, b.settings.onPong = nil, nil, nil, nil
	return reflect.DeepEqual(a, b)
}
