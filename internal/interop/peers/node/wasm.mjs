// Runs a Go program that was compiled to WebAssembly:
//
//	node wasm.mjs wasm_exec.js program.wasm ws|host argument…
//
// With ws its WebSockets are those of the package ws, with host those of Node.js, which has them since version 22 (20 with
// --experimental-websocket).
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const [script, program, sockets, ...args] = process.argv.slice(2);
if (sockets === 'ws') {
	globalThis.WebSocket = (await import('ws')).WebSocket;
}
await import(pathToFileURL(script));
const go = new Go();
go.argv = [program, ...args];
const { instance } = await WebAssembly.instantiate(await readFile(program), go.importObject);
await go.run(instance);
process.exit(); // timers of the program that has ended would call it
