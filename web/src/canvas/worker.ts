/** The worker: takes calls, runs jobs, answers. */

import { jobs, movable, type Call, type Reply } from "./jobs";

const scope = self as unknown as { onmessage: (event: MessageEvent<Call>) => void; postMessage(reply: Reply, moved: Transferable[]): void };

scope.onmessage = async ({ data: { id, job, args } }) => {
  try {
    const value: unknown = await (jobs[job] as (...args: unknown[]) => unknown)(...args);
    scope.postMessage({ id, value }, movable(value));
  } catch (error) {
    scope.postMessage({ id, error }, []);
  }
};
