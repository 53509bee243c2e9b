/** Says that the page is not live at the moment. Floats over the page, so that nothing moves. */
import classes from './cut-banner.module.css';

export function CutBanner({ cut }: { readonly cut: boolean }) {
  return (
    <div className={classes.place} role="status">
      {cut && (
        <div className={classes.banner}>
          <span className={classes.pulse} aria-hidden="true" />
          Reconnecting. This page may be out of date.
        </div>
      )}
    </div>
  );
}
