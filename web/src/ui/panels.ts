// Panels and words that come with the first picture.
export { activeGuides } from "../state/guiding";
export { historyWords } from "../state/history";
export * from "./dialogs";
export { bringBack } from "./earlier";
export { GuidesPanel } from "./Guides";
export { MasksPanel } from "./Masks";
export { SettingsFold } from "./Settings";
