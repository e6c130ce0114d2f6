import { render } from "preact";

import "./ui/editor.css";
import { startFrames } from "./state/frames";
import { startPrefs } from "./state/prefs";
import { startListening } from "./state/session";
import { startWish } from "./state/wish";
import { App } from "./ui/App";
import { startKeys } from "./ui/keys";

startPrefs();
startWish();
startListening();
startKeys();
startFrames();
const place = document.getElementById("app");
if (place) render(<App />, place);
