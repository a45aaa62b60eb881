import { Component, type ReactNode } from "react";

import { Failure } from "./Failure";

/** Keep a fault of one pane from taking down the page around it. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    return error === null ? (
      this.props.children
    ) : (
      <Failure error={error} retry={() => this.setState({ error: null })} />
    );
  }
}
