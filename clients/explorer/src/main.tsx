import { render } from "preact";

import "./styles/tokens.css";
import "./styles/base.css";
import { Shell } from "./shell/Shell.tsx";

render(<Shell />, document.getElementById("page")!);
