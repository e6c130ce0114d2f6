import { render } from "preact";

import "./editor.css";

const place = document.getElementById("app");
if (place) render(<h1>Overpaint</h1>, place);
