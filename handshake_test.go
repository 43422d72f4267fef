package websocket

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/memconn"
	"github.com/closeonce/websocket/internal/transport"
)

func TestAcceptKey(t *testing.T) {
	// The sample of RFC 6455, section 1.3.
	if got := string(appendAcceptKey(nil, "dGhlIHNhbXBsZSBub25jZQ==")); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

func TestTokens(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  []string
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"chat"}, []string{"chat"}},
		{[]string{"chat, superchat"}, []string{"chat", "superchat"}},
		{[]string{"a,b", "c"}, []string{"a", "b", "c"}},
		{[]string{" \ta\t ,, b ,"}, []string{"a", "b"}},
		{[]string{"Chat"}, []string{"Chat"}},
	} {
		h := http.Header{"X-List": tt.lines}
		if got := tokens(h, "X-List"); !slices.Equal(got, tt.want) {
			t.Errorf("%q has %q, want %q", tt.lines, got, tt.want)
		}
		for _, token := range tt.want {
			if !hasToken(h, "X-List", token) {
				t.Errorf("%q has no %q", tt.lines, token)
			}
		}
	}
}

func TestHasToken(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{[]string{"Upgrade"}, true},
		{[]string{"upgrade"}, true},
		{[]string{"UPGRADE"}, true},
		{[]string{"keep-alive, Upgrade"}, true},
		{[]string{"keep-alive", "\tUpgrade "}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"Upgraded"}, false},
		{[]string{"no upgrade"}, false},
		{[]string{"upgrade;q=1"}, false},
		{[]string{"upgrad\u212a"}, false}, // the sign for Kelvin folds to k, and nothing here does
	} {
		if got := hasToken(http.Header{"Connection": tt.lines}, "Connection", "upgrade"); got != tt.want {
			t.Errorf("%q: %t", tt.lines, got)
		}
	}
}

func TestIsToken(t *testing.T) {
	// RFC 9110, section 5.6.2: tchar, from the ABNF.
	const tchar = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	legal := 0
	for c := range 256 {
		want := slices.Contains([]byte(tchar), byte(c))
		for _, s := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c)})} {
			if isToken(s) != want {
				t.Errorf("%q is a token: %t", s, !want)
			}
		}
		if want {
			legal++
		}
	}
	if legal != 77 || isToken("") || !isToken("v12.stomp") {
		t.Error("the list of characters", legal)
	}
}

// TestAnswerNotRead: a peer that makes no room for the handshake's answer is waited for
// so long and no longer.
func TestAnswerNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(10)
		defer theirs.Close()
		began := time.Now()
		err := sendAnswer(ours, &transport.Buffer{B: make([]byte, 1000), N: 990}) // n is of an earlier attempt
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != answerTimeout {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
	})
}
