package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
)

// corpus is a sequence of messages as one connection might send them.
type corpus struct {
	name     string
	messages [][]byte
}

func (c corpus) bytes() int {
	n := 0
	for _, m := range c.messages {
		n += len(m)
	}
	return n
}

// corpora are made by a seed: the same in each run, copied from nowhere.
func corpora(seed uint64) []corpus {
	g := newGenerator(seed)
	of := func(name string, n int, make func(i int) []byte) corpus {
		c := corpus{name: name}
		for i := range n {
			c.messages = append(c.messages, make(i))
		}
		return c
	}
	return []corpus{
		of("json 64 B", 2000, func(int) []byte { return g.cursor() }),
		of("json 256 B", 1000, func(int) []byte { return g.json(256) }),
		of("json 1 KiB", 400, func(int) []byte { return g.json(1 << 10) }),
		of("json 4 KiB", 100, func(int) []byte { return g.json(4 << 10) }),
		of("json 64 KiB", 8, func(int) []byte { return g.json(64 << 10) }),
		of("chat", 1500, func(i int) []byte { return g.chat(i) }),
		of("market", 1500, func(int) []byte { return g.quote() }),
		of("compressed 1 KiB", 200, func(int) []byte { return g.compressed(1 << 10) }),
		of("compressed 64 KiB", 4, func(int) []byte { return g.compressed(64 << 10) }),
	}
}

type generator struct {
	r       *rand.Rand
	words   []string
	users   []string
	symbols []string
	prices  []float64
	clock   int64
	id      int
}

func newGenerator(seed uint64) *generator {
	g := &generator{r: rand.New(rand.NewPCG(seed, seed)), clock: 1767225600000, id: 80000}
	// Words of syllables, some far more frequent than others, as in a language.
	onset := strings.Fields("b br c ch d dr f fl g gr h j k l m n p pl pr qu r s sh sl st t th tr v w")
	vowel := strings.Fields("a a e e e i i o o u ai ea ee ou")
	coda := append(strings.Fields("d l m n n nd ng r r rt s s st t t ck"), "", "", "")
	for range 1500 {
		var w strings.Builder
		for range 1 + g.r.IntN(3) {
			w.WriteString(onset[g.r.IntN(len(onset))] + vowel[g.r.IntN(len(vowel))] + coda[g.r.IntN(len(coda))])
		}
		g.words = append(g.words, w.String())
	}
	for range 40 {
		g.users = append(g.users, g.words[g.r.IntN(len(g.words))]+fmt.Sprint(g.r.IntN(100)))
	}
	for range 120 {
		s := make([]byte, 3+g.r.IntN(2))
		for i := range s {
			s[i] = byte('A' + g.r.IntN(26))
		}
		g.symbols = append(g.symbols, string(s))
		g.prices = append(g.prices, 5+g.r.Float64()*400)
	}
	return g
}

// word picks low numbers more often: the rank of a word in a text.
func (g *generator) word() string {
	x := g.r.Float64()
	return g.words[int(x*x*x*float64(len(g.words)))]
}

func (g *generator) sentence(n int) string {
	var s []string
	for range n {
		s = append(s, g.word())
	}
	t := strings.Join(s, " ")
	return strings.ToUpper(t[:1]) + t[1:] + string(".?!."[g.r.IntN(4)])
}

func (g *generator) now() int64 {
	g.clock += int64(g.r.ExpFloat64() * 400)
	return g.clock
}

func (g *generator) user() string { return g.users[g.r.IntN(len(g.users))] }

func (g *generator) cursor() []byte {
	g.id++
	return fmt.Appendf(nil, `{"t":"cursor","u":"%s","x":%d,"y":%d,"ts":%d}`,
		g.user(), g.r.IntN(1920), g.r.IntN(1080), g.now())
}

// json is an object of about n bytes: a list of records as an API returns them.
func (g *generator) json(n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"event":"update","seq":%d,"channel":"room:%d","items":[`, g.id, g.r.IntN(20))
	for first := true; ; first = false {
		item := g.record()
		if !first && b.Len()+len(item)+3 > n+len(item)/2 {
			break
		}
		if !first {
			b.WriteByte(',')
		}
		b.WriteString(item)
	}
	b.WriteString("]}")
	return b.Bytes()
}

func (g *generator) record() string {
	g.id++
	switch g.r.IntN(3) {
	case 0:
		return fmt.Sprintf(`{"id":%d,"type":"message","author":{"name":"%s","role":"%s"},"text":"%s","createdAt":%d,"edited":%t}`,
			g.id, g.user(), []string{"member", "admin", "guest"}[g.r.IntN(3)], g.sentence(4+g.r.IntN(8)), g.now(), g.r.IntN(5) == 0)
	case 1:
		return fmt.Sprintf(`{"id":%d,"type":"reaction","target":%d,"author":{"name":"%s","role":"member"},"emoji":"%s","createdAt":%d}`,
			g.id, g.id-g.r.IntN(200), g.user(), []string{"+1", "heart", "tada", "eyes"}[g.r.IntN(4)], g.now())
	default:
		return fmt.Sprintf(`{"id":%d,"type":"presence","user":"%s","status":"%s","lat":%.5f,"lon":%.5f,"token":"%016x"}`,
			g.id, g.user(), []string{"online", "away", "offline"}[g.r.IntN(3)], 45+g.r.Float64(), 9+g.r.Float64(), g.r.Uint64())
	}
}

func (g *generator) chat(i int) []byte {
	ms := g.now()
	return fmt.Appendf(nil, "[%02d:%02d:%02d] <%s> %s", ms/3600000%24, ms/60000%60, ms/1000%60, g.user(), g.sentence(3+g.r.IntN(14)))
}

func (g *generator) quote() []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for k := range 1 + g.r.IntN(4) {
		i := g.r.IntN(len(g.symbols))
		g.prices[i] *= 1 + g.r.NormFloat64()/2000
		p := g.prices[i]
		if k > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"s":"%s","b":"%.2f","a":"%.2f","bs":%d,"as":%d,"v":%d,"ts":%d}`,
			g.symbols[i], p, p*1.0004, 100*(1+g.r.IntN(30)), 100*(1+g.r.IntN(30)), g.r.IntN(1e6), g.now())
	}
	b.WriteByte(']')
	return b.Bytes()
}

// compressed is what deflate makes of text: it does not get shorter again.
func (g *generator) compressed(n int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		panic(err)
	}
	for b.Len() < n+64 {
		if _, err := w.Write([]byte(g.sentence(50))); err != nil {
			panic(err)
		}
	}
	return b.Bytes()[64 : 64+n]
}
