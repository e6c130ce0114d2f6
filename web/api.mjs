// npm run api: the types of the native API, from the server's own description. PYTHON names an interpreter that has
// Overpaint. The first line of the file holds the description's digest, by which tests/test_web_build.py finds a stale one.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const python = process.env.PYTHON ?? "python3";
const text = execFileSync(python, ["openapi.py"], { encoding: "utf8", maxBuffer: 1 << 26 });
const digest = createHash("sha256").update(text).digest("hex");
const types = astToString(await openapiTS(JSON.parse(text), { defaultNonNullable: false }));
writeFileSync("src/api/schema.d.ts", `// Made by npm run api from the description with the SHA-256 ${digest}\n\n${types}`);
