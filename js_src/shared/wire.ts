/**
 * What a page and the rest of nbsession say to each other.
 *
 * Page → kernel and kernel → page are custom messages of the hidden page model (never synced traits: a
 * trait reaches every window of the kernel). The Python side holds the same shapes as TypedDicts.
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

/** `window.location`, without the `token` parameter in `href` and `search`. */
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

/** Page → kernel: this page shows the kernel's notebook. Repeated in answer to a ping. */
export interface Hello {
  readonly kind: 'hello';
  /** UUID of the browser document; the same for every model in it. */
  readonly page: string;
  readonly info: PageInfo;
  readonly location: PageLocation;
}

/** Page → kernel: this page is going. Best effort, as a browser may drop it. */
export interface Goodbye {
  readonly kind: 'goodbye';
  readonly page: string;
}

/** Kernel → page: every page is to say hello again. */
export interface Ping {
  readonly kind: 'ping';
}

export type PageMessage = Hello | Goodbye;
export type KernelMessage = Ping;

/** Body of `PUT nbsession/api/sessions/{kernel_id}/page`. */
export interface PageQuery {
  /** The raw query that JupyterLab's page was opened with: no `?`, no `token`; '' if there was none. */
  readonly query: string;
}

/** Answer to it. */
export interface PageQueryReply {
  /** False if the session had a page query already: the first one counts. */
  readonly bound: boolean;
}
