// swagger-parser: validates, dereferences, returns the example.
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");
const SwaggerParser = createRequire(path.resolve(process.env.PREFIX) + "/x.js")("@apidevtools/swagger-parser");

const report = (check, ok, note = "") => console.log(JSON.stringify({ check, ok, note: String(note).split("\n")[0] }));
const { page } = JSON.parse(fs.readFileSync(process.env.RESPONSES, "utf8"));

(async () => {
  try {
    const api = await SwaggerParser.validate(process.env.CONTRACT);
    report("works", true);
    const [operation] = Object.values(api.paths).map((each) => each.get);
    const shown = operation.responses["200"].content["application/json"].examples.page.value;
    report("page", JSON.stringify(shown) === JSON.stringify(page), "the example, dereferenced");
  } catch (error) {
    report("works", false, error);
  }
})();
