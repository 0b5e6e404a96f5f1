import type { Message } from '@lumino/messaging';
import { Panel, type Widget } from '@lumino/widgets';

/** A panel that makes its content when it is shown for the first time. */
export class LatePanel<Content extends { readonly view: Widget }> extends Panel {
  private making: Promise<Content> | null = null;

  constructor(private readonly make: () => Promise<Content>) {
    super();
    this.addClass('nbsession-sidebar');
    this.node.tabIndex = -1; // So that it can be given the focus.
  }

  /** Made if it is not there yet. */
  content(): Promise<Content> {
    this.making ??= this.make().then(
      (content) => {
        this.addWidget(content.view);
        return content;
      },
      (error: unknown) => {
        this.making = null; // The server may be back when the panel is shown the next time.
        throw error;
      },
    );
    return this.making;
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    if (!this.node.contains(document.activeElement)) {
      this.node.focus();
    }
  }

  private look(): void {
    if (this.isVisible) {
      this.content().catch((error: unknown) => {
        console.warn('nbsession: the panel could not be loaded:', error);
      });
    }
  }
}
