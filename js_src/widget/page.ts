/**
 * The hidden page model: tells the kernel which pages show it, and where they are.
 *
 * anywidget calls `initialize` in every page that opens the kernel's notebook, without any view. What
 * it returns is called when the model goes.
 */
import { connect, type PageModel } from './connection';
import { type Manager, whenMade } from './made';

interface HiddenModel extends PageModel {
  readonly widget_manager?: Manager;
}

export default {
  initialize({ model }: { model: HiddenModel }): () => void {
    return whenMade(model.widget_manager, window, () => connect(model, window));
  },
};
