package websocket

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/closeonce/websocket/internal/handshake"
)

// This file has the parts of the opening handshake that do no I/O: for those who make it themselves, whose connection NewConn
// takes from there, and what Dial offers and checks.

// AcceptKey returns the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455, section 4.2.2).
func AcceptKey(key string) string { return string(handshake.AppendAccept(nil, key)) }

// OfferDeflate returns the Sec-WebSocket-Extensions with which a client offers permessage-deflate (RFC 7692, section 5.1),
// or "" if mode is CompressionDisabled. The error is about options that are not valid.
func OfferDeflate(mode CompressionMode, tuning CompressionTuning) (offer string, err error) {
	if mode == CompressionDisabled {
		return "", nil
	}
	wish, err := tuning.wish(mode)
	if err != nil {
		return "", err
	}
	return handshake.Offer(wish).String(), nil
}

// AnswerDeflate returns the Sec-WebSocket-Extensions with which a server answers a client's, whose lines are offers (RFC 7692,
// section 5.1). It is "", and must not be sent, if no offer of permessage-deflate is acceptable or mode is
// CompressionDisabled. The error is about options that are not valid; a malformed field offers nothing.
func AnswerDeflate(offers []string, mode CompressionMode, tuning CompressionTuning) (answer string, err error) {
	answer, _, err = answerDeflate(offers, mode, tuning)
	return answer, err
}

// answerDeflate is AnswerDeflate. It returns what is agreed on, too, if the answer is not empty.
func answerDeflate(offers []string, mode CompressionMode, tuning CompressionTuning) (answer string, agreed handshake.Params, err error) {
	if mode == CompressionDisabled {
		return "", agreed, nil
	}
	wish, err := tuning.wish(mode)
	if err != nil {
		return "", agreed, err
	}
	params, agreed, ok := handshake.AnswerOffers(offers, wish)
	if !ok {
		return "", agreed, nil
	}
	return params.String(), agreed, nil
}

// A Handshake is a server's answer to an opening handshake, as [Negotiate] makes it.
type Handshake struct {
	// Status is the HTTP status to answer with: 101 (Switching Protocols), 200 (OK) over HTTP/2 and HTTP/3, or that of a
	// refusal.
	Status int

	// Header has the fields that the handshake adds to the answer. Their names are spelled as in RFC 6455, which http.Header.Set
	// would change; so Get does not find those with WebSocket in their names. After a refusal it has what belongs to the status.
	Header http.Header

	// Conn is what [NewConn] needs when the answer has been sent: what was agreed on, and what the AcceptOptions say. Its
	// Early is for the caller to set.
	Conn ConnOptions
}

// Negotiate checks a request as [Accept] does, and returns what to answer. It writes nothing, so it is for servers that are
// not net/http's: they make an http.Request of what they have read, send the answer, and call [NewConn] with Handshake.Conn.
// It needs the request's Method, Proto, ProtoMajor, ProtoMinor, Header, Host, ContentLength and TransferEncoding, and what
// opts.CheckOrigin looks at. The names in Header must be in canonical form, as by http.Header.Add. If ProtoMajor is 2 or 3, the
// request must be an extended CONNECT (RFC 8441, RFC 9220): its :protocol is in Header, as net/http has it, and ContentLength is -1.
//
// If the handshake is refused, the error says why, and Status and Header are those of the refusal; err.Error() is a body that
// fits. Status is 500 if the options are not valid. OnRefuse and EndOnShutdown are ignored, the other options hold.
func Negotiate(r *http.Request, opts *AcceptOptions) (*Handshake, error) {
	if opts == nil {
		opts = &AcceptOptions{}
	}
	h := &Handshake{Status: http.StatusSwitchingProtocols, Header: http.Header{}}
	if refused := opts.check(r); refused != nil {
		h.Status = refused.Status
		return h, refusal(h.Header, r, refused)
	}
	extensions, err := AnswerDeflate(r.Header["Sec-Websocket-Extensions"], opts.CompressionMode, opts.CompressionTuning)
	if err != nil {
		h.Status = http.StatusInternalServerError
		handshake.EndRefused(h.Header, r.ProtoMajor, r.Header)
		return h, serverFault{err}
	}
	answer := handshake.Answer{
		Key:         r.Header.Get("Sec-Websocket-Key"),
		Subprotocol: handshake.ChooseSubprotocol(r.Header["Sec-Websocket-Protocol"], opts.Subprotocols),
		Extension:   extensions,
	}
	if r.ProtoMajor >= 2 {
		h.Status = http.StatusOK
		answer.SetStream(h.Header)
	} else {
		answer.Set(h.Header)
	}
	h.Conn = *opts.conn()
	h.Conn.Context, h.Conn.Subprotocol, h.Conn.Extensions = r.Context(), answer.Subprotocol, extensions
	return h, nil
}

// check returns why the handshake is refused, or nil.
func (opts *AcceptOptions) check(r *http.Request) *handshake.Refusal {
	if refused := handshake.CheckRequest(handshake.Request{
		Method: r.Method, Proto: r.Proto, Major: r.ProtoMajor, Minor: r.ProtoMinor, Header: r.Header,
		HasBody: hasBody(r),
	}); refused != nil {
		return refused
	}
	switch {
	case opts.CheckOrigin != nil:
		if !opts.CheckOrigin(r) {
			return forbidden(r)
		}
		return nil
	case opts.InsecureSkipVerify:
		return nil
	}
	return handshake.CheckOrigin(r.Header["Origin"], r.Host, opts.OriginPatterns)
}

// hasBody reports whether the request says how long its body is; or, of an extended CONNECT, how much data follows.
func hasBody(r *http.Request) bool {
	if r.ProtoMajor >= 2 {
		return r.ContentLength >= 0
	}
	return r.ContentLength != 0 || len(r.TransferEncoding) > 0
}

// forbidden is the refusal by CheckOrigin.
func forbidden(r *http.Request) *handshake.Refusal {
	if origin := r.Header.Get("Origin"); origin != "" {
		return handshake.Forbidden("CheckOrigin does not allow the Origin %.64q", origin)
	}
	return handshake.Forbidden("the request has no Origin, and CheckOrigin does not allow that")
}

// refusal sets the header fields of a refusal, and returns its error.
func refusal(h http.Header, r *http.Request, refused *handshake.Refusal) error {
	if refused.Status == http.StatusUpgradeRequired {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
	}
	handshake.EndRefused(h, r.ProtoMajor, r.Header)
	if refused.Name != "" {
		h[refused.Name] = []string{refused.Value} // in this spelling
	}
	err := fmt.Errorf("websocket: the handshake was refused with %d: %s", refused.Status, refused.Reason)
	if refused.Status == http.StatusInternalServerError {
		return serverFault{err}
	}
	return err
}

// A serverFault is the error of a handshake that failed because of the server and not the client.
type serverFault struct{ error }

func (f serverFault) Unwrap() error { return f.error }

// An offer is what the client proposes, and checks the answer against.
type offer struct {
	stream       bool // over HTTP/2, where there is no key
	key          string
	subprotocols []string
	compress     bool
	deflate      handshake.Params // if compress
}

// offer makes the offer that the options describe.
func (opts *DialOptions) offer() (offer, error) {
	var o offer
	var err error
	if o.subprotocols, err = handshake.Offered(opts.Subprotocols, opts.HTTPHeader); err != nil {
		return o, err
	}
	if o.compress = opts.CompressionMode != CompressionDisabled; o.compress {
		wish, err := opts.CompressionTuning.wish(opts.CompressionMode)
		if err != nil {
			return o, err
		}
		o.deflate = handshake.Offer(wish)
	}
	var nonce [16]byte
	rand.Read(nonce[:])
	o.key = handshake.Key(nonce)
	return o, nil
}

// set adds the offer to a request. It does not use http.Header.Set, which would change
// the RFC's spelling of the names: some servers accept no other.
func (o offer) set(h http.Header) {
	h["Sec-WebSocket-Version"] = []string{"13"}
	if !o.stream {
		h["Sec-WebSocket-Key"] = []string{o.key}
	}
	if len(o.subprotocols) > 0 {
		h["Sec-WebSocket-Protocol"] = []string{strings.Join(o.subprotocols, ", ")}
	}
	if o.compress {
		h["Sec-WebSocket-Extensions"] = []string{o.deflate.String()}
	}
}

// check checks the server's answer against the offer, and returns what was agreed on.
func (o offer) check(resp *http.Response, threshold int) (subprotocol string, z *compression, err error) {
	want, check := http.StatusSwitchingProtocols, handshake.CheckResponse
	if o.stream {
		want, check = http.StatusOK, handshake.CheckStreamResponse
	}
	if resp.StatusCode != want {
		return "", nil, fmt.Errorf("expected handshake response status code %d but got %d", want, resp.StatusCode)
	}
	if packed := resp.Header.Get("Content-Encoding"); o.stream && packed != "" {
		return "", nil, fmt.Errorf("the answer has Content-Encoding: %.64q, which must not be there", packed)
	}
	if !o.stream && resp.Close && resp.ProtoAtLeast(1, 1) && len(resp.Header["Connection"]) == 0 {
		return "", nil, errors.New(`the answer has "Connection: close", behind which net/http does not show whether it has Upgrade too`)
	}
	subprotocol, err = check(resp.Header, o.key, o.subprotocols)
	if err != nil {
		return "", nil, err
	}
	agreed, accepted, err := handshake.CheckAnswer(resp.Header["Sec-Websocket-Extensions"], o.compress, o.deflate)
	if err != nil {
		return "", nil, fmt.Errorf("the answer has %w", err)
	}
	if length := resp.Header.Get("Content-Length"); o.stream && length != "" {
		return "", nil, fmt.Errorf("the answer to the CONNECT has Content-Length: %.64q, which must not be there (RFC 9110, section 9.3.6): net/http reads no more than that, so dial over HTTP/1.1", length)
	}
	if accepted {
		z = newCompression(agreed, true, threshold)
	}
	return subprotocol, z, nil
}
