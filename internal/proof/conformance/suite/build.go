package suite

import (
	"fmt"
	"sync"
)

// Cases returns all cases in the order of their numbers.
func Cases() []*Case { return allCases() }

var allCases = sync.OnceValue(func() []*Case {
	b := &builder{}
	for i, group := range []func(*builder){
		framing, pings, reserved, fragmentation, utf8Cases, closingCases, limits,
		serverHandshake, clientHandshake, masking, lengths, deflateCases, overTLS,
	} {
		b.group, b.section = i+1, 0
		group(b)
	}
	return b.cases
})

// builder numbers the cases. A number stands for its case for good: new cases
// go to the end of their section, new sections to the end of their group.
type builder struct {
	cases          []*Case
	group, section int
	n              int

	ref, rule string
	roles     Role
}

// in begins a section of the group.
func (b *builder) in(ref, rule string) {
	b.section++
	b.n, b.ref, b.rule, b.roles = 0, "RFC 6455, "+ref, rule, both
}

// inDeflate begins a section whose rule is one of RFC 7692.
func (b *builder) inDeflate(ref, rule string) {
	b.in(ref, rule)
	b.ref = "RFC 7692, " + ref
}

func (b *builder) add(c Case) *Case {
	b.n++
	c.Number = fmt.Sprintf("%d.%d.%d", b.group, b.section, b.n)
	c.Group = groups[b.group]
	c.Section, c.Rule = b.ref, b.rule
	if c.Roles == 0 {
		c.Roles = b.roles
	}
	c.sends = map[Role]func() string{}
	for _, role := range []Role{Server, Client} {
		c.sends[role] = sync.OnceValue(func() string { return c.describe(role) })
	}
	b.cases = append(b.cases, &c)
	return &c
}

// echo adds a case in which messages come back.
func (b *builder) echo(name string, messages []message, steps ...step) *Case {
	return b.add(Case{Name: name, steps: steps, want: want{messages: messages}})
}

// fails adds a case in which the endpoint must fail the connection with code.
func (b *builder) fails(name string, code int, steps ...step) *Case {
	return b.add(Case{Name: name, steps: steps, want: want{ending: fails, strict: []int{code}}})
}

// after gives a case messages that have come back before its last steps.
func (c *Case) after(m ...message) *Case { c.want.messages = m; return c }

func (c *Case) only(r Role) *Case { c.Roles = r; return c }

func one(f frame) []message { return []message{{f.opcode, f.payload}} }

func textMessage(s string) message   { return message{opText, []byte(s)} }
func binaryMessage(p []byte) message { return message{opBinary, p} }
