// The panel beside the picture: results, layers, masks, guides, queue.
import { active } from "../state/jobs";
import { panel, panelOpen, type PanelName } from "../state/prefs";
import { texts } from "../text";
import { LayersPanel } from "./Layers";
import { later } from "./later";
import { QueuePanel } from "./Queue";
import { ResultsPanel } from "./Results";

const NAMES: readonly PanelName[] = ["results", "layers", "masks", "guides", "queue"];

export function Panel() {
  if (!panelOpen.value) return null;
  const words = texts.value.panels;
  const parts = later.value;
  const counts: Partial<Record<PanelName, number | undefined>> = { queue: active.value.length, guides: parts?.activeGuides().length };
  const chosen = panel.value;
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    panel.value = NAMES[(NAMES.indexOf(chosen) + by + NAMES.length) % NAMES.length] ?? "results";
    document.getElementById(`tab-${panel.value}`)?.focus();
  };
  return (
    <aside class="panel" aria-label={texts.value.top.panel}>
      <div class="tabs" role="tablist" onKeyDown={move}>
        {NAMES.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={name === chosen}
            aria-controls="panel-content"
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => (panel.value = name)}
          >
            {words[name]}
            {counts[name] ? <span class="badge">{counts[name]}</span> : null}
          </button>
        ))}
      </div>
      <div id="panel-content" class="panel-content" role="tabpanel" aria-labelledby={`tab-${chosen}`} tabIndex={0}>
        {chosen === "results" ? <ResultsPanel /> : null}
        {chosen === "layers" ? <LayersPanel /> : null}
        {parts && chosen === "masks" ? <parts.MasksPanel /> : null}
        {parts && chosen === "guides" ? <parts.GuidesPanel /> : null}
        {chosen === "queue" ? <QueuePanel /> : null}
      </div>
    </aside>
  );
}
