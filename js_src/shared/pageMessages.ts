/**
 * What a page and the rest of nbsession say to each other.
 *
 * Page → kernel and kernel → page are custom messages of the hidden page model (never synced traits: a
 * trait reaches every window of the kernel). `core/page_messages.py` has those of the kernel.
 */

/** What the browser says of itself. */
export interface PageInfo {
  /** BCP 47, as in `navigator.language`. */
  readonly language: string;
  /** IANA name, as in `Europe/Berlin`. */
  readonly timezone: string;
  /** Minutes from local time to UTC, with JavaScript's sign: Berlin in winter is -60. */
  readonly timezone_offset: number;
  /** The browser asks for dark pages (`prefers-color-scheme`); not Jupyter's theme. */
  readonly dark_mode: boolean;
  readonly device_pixel_ratio: number;
}

/**
 * `window.location`, without the `token` parameter in `href` and `search`.
 *
 * In JupyterLab the notebook's own, as `window.location` would be if it were in front.
 */
export interface PageLocation {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

/** What shows in the browser's tab, and how. */
export interface PageDocument {
  readonly title: string;
  /** Jupyter's theme, or the browser's where Jupyter has none. */
  readonly theme: 'light' | 'dark';
  /** The tab is in front. */
  readonly visible: boolean;
}

/** Page → kernel: this page shows the kernel's notebook. */
export interface Hello {
  readonly kind: 'hello';
  /** UUID of the browser document; the same for every model in it. */
  readonly page: string;
  /** To a ping. */
  readonly answer: boolean;
  /** The user is on this page, and not on another window. */
  readonly focused: boolean;
  readonly info: PageInfo;
  readonly location: PageLocation;
  /** False if the page does not know query and hash: those that the kernel has count. */
  readonly known: boolean;
  readonly document: PageDocument;
}

/**
 * Page → kernel: this page is going, or shows the kernel no more; or another, that this one has replaced,
 * has gone. Best effort, as a browser may drop it.
 */
export interface Goodbye {
  readonly kind: 'goodbye';
  readonly page: string;
}

/** Page → kernel: the URL has changed, or a `Navigate` has been dealt with. */
export interface LocationReport {
  readonly kind: 'location';
  readonly page: string;
  /** `serial` of the last `Navigate` that this location knows of; 0 before the first. */
  readonly applied: number;
  readonly location: PageLocation;
  /** As in `Hello`. */
  readonly known: boolean;
}

/** Page → kernel: title, theme or visibility has changed, or a `SetTitle` has been dealt with. */
export interface DocumentReport {
  readonly kind: 'document';
  readonly page: string;
  /** `serial` of the last `SetTitle` that this title knows of; 0 before the first. */
  readonly applied: number;
  readonly document: PageDocument;
  readonly info: PageInfo;
}

/** Page → kernel: the user has turned to this page. */
export interface Focus {
  readonly kind: 'focus';
  readonly page: string;
}

/** Kernel → page: every page is to say hello again. */
export interface Ping {
  readonly kind: 'ping';
}

/** The parts of a URL to change; the others stay as they are. */
export interface LocationParts {
  readonly pathname?: string;
  readonly search?: string;
  readonly hash?: string;
}

/** Kernel → one page: write the URL. Answered by a `LocationReport`, also if it is refused. */
export interface Navigate {
  readonly kind: 'navigate';
  readonly page: string;
  readonly serial: number;
  readonly parts: LocationParts;
  readonly history: 'push' | 'replace';
  /** Load the page anew. */
  readonly reload: boolean;
}

/** Kernel → one page: write the tab's title. Answered by a `DocumentReport`. */
export interface SetTitle {
  readonly kind: 'title';
  readonly page: string;
  readonly serial: number;
  readonly title: string;
}

export type PageMessage = Hello | Goodbye | LocationReport | DocumentReport | Focus;
export type KernelMessage = Ping | Navigate | SetTitle;

/** Body of `PUT nbsession/api/sessions/{kernel_id}/page`. */
export interface PageQuery {
  /** The kernel's part of the raw query that the page was opened with: no `?`, no `token`; '' for none. */
  readonly query: string;
}

/** Answer to it. */
export interface PageQueryReply {
  /** False if the session had a page query already: the first one counts. */
  readonly bound: boolean;
}
