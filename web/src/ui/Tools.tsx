// The tools at the left side.
import type { ToolName } from "../canvas";
import { canvas, tool } from "../state/canvas";
import { panel } from "../state/prefs";
import { takerOf } from "../state/select";
import { setIntent, wish } from "../state/wish";
import { texts } from "../text";
import { IconButton } from "./controls";
import type { IconName } from "./icons";

const TOOL_KEYS: readonly (readonly [tool: ToolName, key: string, icon: IconName])[] = [
  ["brush", "B", "brush"],
  ["eraser", "E", "eraser"],
  ["rectangle", "R", "rectangle"],
  ["ellipse", "O", "ellipse"],
  ["lasso", "L", "lasso"],
  ["polygon", "P", "polygon"],
  ["fill", "G", "fill"],
  ["point", "W", "wand"],
  ["box", "Q", "selectBox"],
  ["sketch", "S", "sketch"],
  ["lines", "U", "lines"],
  ["picker", "I", "picker"],
  ["expand", "C", "expand"],
  ["pan", "H", "pan"],
];

/** The tools that there are on this server. */
export function tools(): typeof TOOL_KEYS {
  return TOOL_KEYS.filter(([name]) => (name !== "point" || takerOf("points")) && (name !== "box" || takerOf("boxes")));
}

/** Take a tool into the hand, and give the picture the keys: Space then pans, and presses no button. */
export function chooseTool(name: ToolName): void {
  const made = canvas.value;
  if (!made) return;
  made.setTool(name);
  made.focus();
  if (name === "expand") setIntent("expand");
  else if (wish.value.intent === "expand" && !["pan", "picker", "lines"].includes(name)) setIntent("remove");
  if (name === "lines") panel.value = "guides";
}

export function Tools() {
  const words = texts.value.tools as Record<string, unknown>;
  const now = tool.value === "sketchEraser" ? "sketch" : tool.value === "linesEraser" ? "lines" : tool.value;
  return (
    <div class="tools" role="toolbar" aria-orientation="vertical" aria-label={texts.value.tools.label}>
      {tools().map(([name, key, icon]) => (
        <>
          {name === "point" || name === "sketch" || name === "expand" ? <span class="rule" /> : null}
          <IconButton key={name} icon={icon} keys={key} label={String(words[name])} pressed={now === name} onClick={() => chooseTool(name)} />
        </>
      ))}
    </div>
  );
}
