// Package loss plays WebSockets over a network that loses packets and changes their order: over TCP with TLS, and over HTTP/3. Both
// use network stacks in user space that are joined by a relay, so that the same packets are at risk.
//
//	go test .                        messages arrive once and in order, with 0.1 to 5 % of loss
//	go test -run Latency -table      the table in http3/README.md; two minutes
package loss
