package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/quic-go/quic-go"
)

// TestUnreachableHosts: a Dialer remembers nothing of hosts that it could not reach.
func TestUnreachableHosts(t *testing.T) {
	d := &Dialer{DialQUIC: func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error) {
		return nil, errors.New("unreachable")
	}}
	for i := range 100 {
		if _, _, err := d.Dial(context.Background(), fmt.Sprintf("wss://h%d.example/", i), nil); err == nil {
			t.Fatal("Dial returned no error")
		}
	}
	if n := len(d.hosts); n > 0 {
		t.Errorf("the Dialer has %d hosts", n)
	}
}

// TestEndedBeforeHeader: of a connection that ends between the opening of the stream and the request, the server has seen no request.
func TestEndedBeforeHeader(t *testing.T) {
	p := newPairs(t, 1000)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, _, err := newRequest(ctx, p.url, new(websocket.DialOptions))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.dialer.connect(ctx, req.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.release()
	str, err := c.http.OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.end()
	_, err = roundTrip(ctx, str, req)
	if _, ok := err.(unseen); !ok {
		t.Errorf("the error is %v", err)
	}
}

// A noStream is one of which only the end is noticed.
type noStream struct {
	requestStream
	ended int
}

func (n *noStream) Close() error                    { n.ended++; return nil }
func (n *noStream) CancelRead(quic.StreamErrorCode) { n.ended++ }

// TestUnusableAnswer: if there can be no Conn behind an answer that was sent, the stream ends in both directions, and the fault is the
// server's, so that Handler logs it.
func TestUnusableAnswer(t *testing.T) {
	n := &noStream{}
	c, err := newServerConn(&stream{requestStream: n}, websocket.ConnOptions{Extensions: "other"})
	if _, ok := err.(serverFault); !ok || c != nil {
		t.Errorf("newServerConn gave %v, %v", c, err)
	}
	if n.ended != 2 {
		t.Errorf("%d directions have ended", n.ended)
	}
}

// TestOptionsHandedOver: all options of Dial that ConnOptions has, too, reach the connection.
func TestOptionsHandedOver(t *testing.T) {
	opts := new(websocket.DialOptions)
	from, some := reflect.ValueOf(opts).Elem(), 0
	for i := range from.NumField() {
		switch f := from.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(1000 + i))
		case reflect.Func:
			f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value { panic("called") }))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Struct:
			f.Field(0).SetInt(9)
		}
	}
	to := reflect.ValueOf(connOptions(opts))
	for i := range from.NumField() {
		name, want := from.Type().Field(i).Name, from.Field(i)
		got := to.FieldByName(name)
		if !got.IsValid() {
			continue
		}
		some++
		same := false
		if got.Kind() == reflect.Func {
			same = got.Pointer() == want.Pointer()
		} else {
			same = got.Interface() == want.Interface()
		}
		if !same || want.IsZero() {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if some < 12 {
		t.Errorf("only %d options were looked at", some)
	}
	if !connOptions(opts).Client {
		t.Error("it is not the client")
	}
}
