// Package browser tests the library against real browsers: Chromium, driven
// over its DevTools protocol, and Firefox, whose page fetches its scripts from the
// test and posts what they return. It has only tests, and is a module of its own
// because the driver is a dependency.
//
//	go test -race .
//
// The tests fail where there is no Chromium; on Debian, apt-get install
// chromium. BROWSER=/path/to/chromium names another, and BROWSER=skip skips the
// tests, for machines that can't have one.
//
// The tests named TestFirefox are skipped where there is no Firefox; on Debian,
// apt-get install firefox-esr. FIREFOX=/path/to/firefox names another, and
// FIREFOX=skip skips them.
package browser
