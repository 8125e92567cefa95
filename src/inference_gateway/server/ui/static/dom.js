// The one place that knows how the page is drawn: Preact, with htm in place of JSX. Texts are always texts:
// nothing here, or in any file that uses it, makes HTML of a string.

import { h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { render };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export const html = htm.bind(h);
