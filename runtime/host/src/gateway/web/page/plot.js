// Plots in the colours of the page.

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const axis = (label, more) => ({
  label, labelSize: 18, labelFont: '12px sans-serif', font: '12px sans-serif', size: 54,
  stroke: () => colour('--dim'), grid: { stroke: () => colour('--soft'), width: 1 }, ticks: { stroke: () => colour('--line'), width: 1 }, ...more,
});

export const axisX = (label, more) => axis(label, { size: 30, ...more });
export const axisY = axis;

export const line = (label, name, more) => ({ label, stroke: () => colour(name), width: 1.5, points: { show: false }, ...more });

// A plot that keeps the size of its place.
export class Plot {
  constructor(place, options) {
    this.place = place;
    this.options = options;
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(place);
  }

  // Whoever makes another one in the same place takes this one away first: its place would keep it.
  remove() {
    this.sizes.disconnect();
    this.plot?.destroy();
  }

  size() {
    const legend = this.options.legend?.show === false ? 0 : 28;
    return { width: this.place.clientWidth, height: Math.max(this.place.clientHeight - legend, 60) };
  }

  fit() {
    if (this.plot && this.place.clientWidth > 0) this.plot.setSize(this.size());
  }

  // Draws where it can be seen.
  set(data) {
    if (this.place.clientWidth === 0) return;
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot({ ...this.options, ...this.size() }, data, this.place);
  }

  redraw() {
    this.plot?.redraw(false);
  }
}
