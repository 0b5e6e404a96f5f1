// JupyterLite's kernel under Node: requests come as JSON lines on stdin, answers go to stdout.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [pyodideFolder, site, prelude] = process.argv.slice(2);
const { loadPyodide } = await import(`${pyodideFolder}/pyodide.mjs`);
const log = text => process.stderr.write(`${text}\n`);
const pyodide = await loadPyodide({ indexURL: `${pyodideFolder}/`, stdout: log, stderr: log });
pyodide.FS.mkdirTree('/site');
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: site }, '/site');
await pyodide.runPythonAsync(readFileSync(prelude, 'utf8'));
const answer = pyodide.globals.get('answer');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await answer(line)}\n`);
}
process.exit(0);
