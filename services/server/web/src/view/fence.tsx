/** Keeps a fault in drawing to the part in which it is: without one, whatever throws leaves half a page or none. */
import { Component, type ComponentChildren } from "preact";

interface Props {
  /** Where the page is: at another place it is tried anew. */
  at?: number;
  /** What stands there instead; `fault`: what was thrown, in its own words. */
  instead: (fault: string) => ComponentChildren;
  children: ComponentChildren;
}

/** What is drawn within it, or what stands there instead. */
export class Fence extends Component<Props, { at: number | undefined; fault: string | null }> {
  override state = { at: this.props.at, fault: null as string | null };
  static override getDerivedStateFromProps({ at }: Props, state: { at: number | undefined }) {
    return at === state.at ? null : { at, fault: null };
  }
  static override getDerivedStateFromError(thrown: unknown) {
    return { fault: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  override render() {
    return this.state.fault === null ? this.props.children : this.props.instead(this.state.fault.slice(0, 200));
  }
}
