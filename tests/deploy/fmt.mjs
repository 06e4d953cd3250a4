// Terraform files: prints those that `terraform fmt` would change. This is its own code, compiled to WebAssembly.
import { readFileSync } from "node:fs";
import { format } from "@cdktf/hcl-tools";

for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, "utf8");
  if ((await format(text)) !== text) {
    console.log(path);
    process.exitCode = 1;
  }
}
