// What npm's clients of the Agent Server do: `Client`, and the hook `useStream` as a page would use it.
// `node agent_clients.mjs URL` prints pairs: what was done, and what went wrong with it ("" for nothing).
import React from "react";
import { act, create } from "react-test-renderer";
import { Client } from "@langchain/langgraph-sdk";
import { useStream } from "@langchain/langgraph-sdk/react";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
console.error = () => {};
const url = process.argv[2];
const client = new Client({ apiUrl: url, apiKey: null });
const results = [];

async function check(name, act_) {
  try {
    await act_();
    results.push([name, ""]);
  } catch (error) {
    results.push([name, String(error).slice(0, 200)]);
  }
}

function assert(is, what) {
  if (!is) throw new Error(`expected: ${what}`);
}

const says = (text) => ({ messages: [{ role: "user", content: text }] });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

await check("Client: assistants", async () => {
  const [found] = await client.assistants.search({ graphId: "agent" });
  assert(found.name === "agent", "the graph's own assistant");
  await client.assistants.getGraph("agent");
  await client.assistants.getSchemas(found.assistant_id);
});

await check("Client: threads", async () => {
  const made = await client.threads.create({ metadata: { js: true } });
  const found = await client.threads.search({ metadata: { js: true } });
  assert(found.some((one) => one.thread_id === made.thread_id), "the thread");
  await client.threads.update(made.thread_id, { metadata: { a: 1 } });
  await client.threads.copy(made.thread_id);
  await client.threads.delete(made.thread_id);
});

await check("Client: stream and join a stream", async () => {
  const { thread_id } = await client.threads.create();
  let run, last;
  const stream = client.runs.stream(thread_id, "agent", {
    input: says("add 2 3"),
    streamMode: ["values", "messages-tuple", "updates", "custom"],
    onRunCreated: (made) => (run = made),
  });
  for await (const part of stream) if (part.event === "values") last = part.data;
  assert(last.messages.at(-1).content === "The sum is 5.", "the sum");
  const again = [];
  for await (const part of client.runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" })) again.push(part);
  assert(again.length > 5, "every event once more");
});

await check("Client: wait", async () => {
  const result = await client.runs.wait(null, "notes", { input: { notes: [] } });
  assert(result.total === 11, "11");
});

await check("Client: interrupt, resume, history", async () => {
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "ask", { input: { notes: [] } });
  const state = await client.threads.getState(thread_id);
  assert(state.tasks[0].interrupts.length === 1, "a question");
  const result = await client.runs.wait(thread_id, "ask", { command: { resume: "yes" } });
  assert(result.notes.at(-1) === "you said yes", "the answer");
  assert((await client.threads.getHistory(thread_id)).length > 3, "a history");
});

await check("Client: cancel", async () => {
  const { thread_id } = await client.threads.create();
  const { run_id } = await client.runs.create(thread_id, "slow", { input: { notes: [] } });
  await client.runs.cancel(thread_id, run_id, true);
  assert((await client.runs.get(thread_id, run_id)).status === "interrupted", "a stopped run");
});

await check("Client: store", async () => {
  await client.store.putItem(["js"], "k", { v: 1 });
  assert((await client.store.getItem(["js"], "k")).value.v === 1, "the item");
  await client.store.searchItems(["js"]);
  await client.store.listNamespaces({ prefix: ["js"] });
  await client.store.deleteItem(["js"], "k");
});

await check("Client: crons", async () => {
  const made = await client.crons.create("notes", { schedule: "0 5 * * *", input: { notes: [] } });
  await client.crons.search({});
  await client.crons.delete(made.cron_id);
});

let seen;

function Page({ graph }) {
  seen = useStream({ apiUrl: url, apiKey: "", assistantId: graph, messagesKey: "messages" });
  return null;
}

async function until(is, what) {
  for (let tries = 0; tries < 400 && !is(); tries++) await act(async () => await sleep(25));
  assert(is(), what);
}

async function open(graph) {
  let page;
  await act(async () => {
    page = create(React.createElement(Page, { graph }));
  });
  return page;
}

await check("useStream: a conversation", async () => {
  const page = await open("agent");
  await act(async () => seen.submit({ messages: [{ type: "human", content: "add 2 3" }] }));
  await until(() => !seen.isLoading && seen.messages.at(-1)?.content === "The sum is 5.", "the answer");
  await act(async () => page.unmount());
});

await check("useStream: an interrupt and its answer", async () => {
  const page = await open("ask");
  await act(async () => seen.submit({ notes: ["go"] }));
  await until(() => !seen.isLoading && seen.interrupt, "the question");
  assert(seen.interrupt.value.question === "really?", "the question");
  await act(async () => seen.submit(undefined, { command: { resume: "yes" } }));
  await until(() => !seen.isLoading && seen.values.notes?.at(-1) === "you said yes", "the answer");
  await act(async () => page.unmount());
});

console.log(JSON.stringify(results));
process.exit(0);
