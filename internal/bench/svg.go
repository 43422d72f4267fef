package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// The plot has one row per case and one mark per library, placed by its cost relative to the best peer's
// on a logarithmic axis: further left is cheaper.

const (
	plotLeft   = 250
	plotRight  = 860
	plotWidth  = 900
	plotTop    = 64
	rowHeight  = 26
	axisLow    = 0.05
	axisHigh   = 20.0
	markRadius = 5
)

// palette gives each library a colour with enough contrast on white and on black.
var palette = map[string]string{
	"ours":          "#e8590c",
	"coder":         "#1c7ed6",
	"gorilla":       "#2f9e44",
	"gws":           "#9c36b5",
	"gobwas-wsutil": "#0c8599",
	"gobwas-low":    "#b08800",
	"rawtcp":        "#868e96",
	"rawtcp-batch":  "#868e96",
}

// plotX places a ratio on the axis; what lies beyond an end is drawn at it.
func plotX(ratio float64) float64 {
	ratio = min(max(ratio, axisLow), axisHigh)
	share := math.Log(ratio/axisLow) / math.Log(axisHigh/axisLow)
	return plotLeft + share*(plotRight-plotLeft)
}

func (r report) writeSVG(w io.Writer) error {
	var rows []caseReport
	for _, c := range r.Cases {
		if c.Best != "" {
			rows = append(rows, c)
		}
	}
	bottom := plotTop + rowHeight*len(rows)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13">`+"\n", plotWidth, bottom+56)
	// The text is grey enough for either background, and better where the viewer tells which it is.
	b.WriteString(`<style>text{fill:#767c82}.line{stroke:#767c82;stroke-opacity:.35}` +
		`@media(prefers-color-scheme:light){text{fill:#343a40}}@media(prefers-color-scheme:dark){text{fill:#ced4da}}</style>` + "\n")
	writeLegend(&b, rows)
	writeAxis(&b, bottom)
	for i, c := range rows {
		writeRow(&b, c, plotTop+rowHeight*i+rowHeight/2)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="11">Cost relative to the best peer, left is cheaper. %s, %s, %s</text>`+"\n",
		plotLeft, bottom+44, html.EscapeString(r.CPU), r.Go, r.Date)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeLegend(b *strings.Builder, rows []caseReport) {
	x := 12
	seen := map[string]bool{}
	for _, c := range rows {
		for _, one := range c.Results {
			if seen[one.Library] || one.kind == earlier {
				continue
			}
			seen[one.Library] = true
			writeMark(b, result{Library: one.Library, kind: one.kind, Median: math.NaN()}, float64(x), 20)
			fmt.Fprintf(b, `<text x="%d" y="24">%s</text>`+"\n", x+11, html.EscapeString(one.Library))
			x += 34 + 7*len(one.Library)
		}
	}
}

func writeAxis(b *strings.Builder, bottom int) {
	for _, tick := range []float64{0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20} {
		x := plotX(tick)
		width := 1.0
		if tick == 1 {
			width = 2
		}
		fmt.Fprintf(b, `<line class="line" x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke-width="%g"/>`+"\n", x, x, plotTop-8, bottom, width)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" font-size="11">%g</text>`+"\n", x, bottom+18, tick)
	}
}

func writeRow(b *strings.Builder, c caseReport, y int) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-18, y+4, html.EscapeString(c.Title))
	// Ours last, so that nothing covers it.
	for _, last := range []bool{false, true} {
		for _, one := range c.Results {
			if (one.kind == ours) == last && one.kind != earlier {
				writeMark(b, one, plotX(one.Ratio), y)
			}
		}
	}
}

func writeMark(b *strings.Builder, one result, x float64, y int) {
	colour := palette[one.Library]
	title := fmt.Sprintf("<title>%s %s</title>", html.EscapeString(one.Library), figure(one.Median))
	switch one.kind {
	case ours:
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="12" height="12" fill="%s" transform="rotate(45 %.1f %d)">%s</rect>`+"\n", x-6, y-6, colour, x, y, title)
	case reference:
		dash := ""
		if one.Library == "rawtcp-batch" {
			dash = ` stroke-dasharray="2 2"`
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%d" r="%d" fill="none" stroke="%s" stroke-width="2"%s>%s</circle>`+"\n", x, y, markRadius, colour, dash, title)
	default:
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%d" r="%d" fill="%s" fill-opacity=".85">%s</circle>`+"\n", x, y, markRadius, colour, title)
	}
}
