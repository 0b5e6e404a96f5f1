/** `BusyIndicator`: follows the page model, so the kernel runs no code for it. */
import { type FollowingModel, followPage } from './pageModel';
import { createSpinner } from './spinner';

interface IndicatorModel extends Omit<FollowingModel, 'get' | 'on' | 'off'> {
  get(trait: 'page'): string | null;
  get(trait: 'size'): number;
  get(trait: 'label'): string;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

export default {
  render({ model, el }: { model: IndicatorModel; el: HTMLElement }): () => void {
    const spinner = createSpinner();
    el.append(spinner.element);
    let busy = false;

    const update = () => {
      spinner.element.style.setProperty('--nbsession-size', `${model.get('size')}px`);
      spinner.show(busy, model.get('label'));
    };
    const unfollow = followPage(model as FollowingModel, (state) => {
      busy = state.busy;
      update();
    });
    model.on('change:size', update);
    model.on('change:label', update);
    return () => {
      model.off('change:size', update);
      model.off('change:label', update);
      unfollow();
      spinner.stop();
    };
  },
};
