// What npm's `openai` does against a server. `node openai_clients.mjs URL` prints pairs: what was done, and what went wrong.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const results = [];

async function check(name, act) {
  try {
    await act();
    results.push([name, ""]);
  } catch (error) {
    results.push([name, String(error).slice(0, 200)]);
  }
}

function assert(is, what) {
  if (!is) throw new Error(`expected: ${what}`);
}

const messages = [{ role: "user", content: "嗨" }];

await check("models", async () => {
  const found = [];
  for await (const one of client.models.list()) found.push(one.id);
  assert(found.includes("motet/echo"), "each graph");
});

await check("chat completions, whole and streamed", async () => {
  const whole = await client.chat.completions.create({ model: "motet/echo", messages });
  assert(whole.choices[0].message.content === "echo 嗨", "the answer");
  let text = "";
  const stream = await client.chat.completions.create({ model: "motet/chat", messages, stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  assert(text === "Hello there.", "the same in pieces");
});

await check("responses that go on, whole and streamed", async () => {
  const first = await client.responses.create({ model: "motet/chat", input: "I am Ada" });
  const asked = { model: "motet/chat", input: "What is my name?", previous_response_id: first.id };
  const stream = client.responses.stream(asked);
  for await (const event of stream) assert(event.type !== "error", "no error");
  assert((await stream.finalResponse()).output_text === "Your name is Ada.", "the conversation");
});

await check("background responses", async () => {
  const begun = await client.responses.create({ model: "motet/wait", input: "x", background: true });
  const stopped = await client.responses.cancel(begun.id);
  assert(stopped.status === "cancelled", "it stops");
});

await check("errors", async () => {
  try {
    await client.chat.completions.create({ model: "nope", messages });
  } catch (error) {
    assert(error instanceof OpenAI.NotFoundError, "not found");
    return;
  }
  throw new Error("an unknown model answered");
});

console.log(JSON.stringify(Object.fromEntries(results)));
process.exit(0);
