// Package browser tests the library against a real browser: Chromium, driven
// over its DevTools protocol. It has only tests, and is a module of its own
// because the driver is a dependency.
//
//	go test -race .
//
// The tests fail where there is no Chromium; on Debian, apt-get install
// chromium. BROWSER=/path/to/chromium names another, and BROWSER=skip skips the
// tests, for machines that can't have one.
package browser
