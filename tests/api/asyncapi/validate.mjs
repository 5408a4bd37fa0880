// Reads the AsyncAPI document on standard input with the official parser; prints what it finds wrong, and counts what it found.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'));
// Severity 0 is an error, 1 a warning; what is below are hints of style.
const wrong = diagnostics.filter((found) => found.severity <= 1);
for (const { code, path, message } of wrong) console.error(`${code} at /${path.join('/')}: ${message}`);
if (!document || wrong.length) process.exit(1);
const counts = {
  channels: document.allChannels().length,
  operations: document.allOperations().length,
  messages: document.components().messages().length,
};
console.log(JSON.stringify(counts));
