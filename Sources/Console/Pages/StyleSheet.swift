internal import FleetModel

/// The mark in a browser's tab: a signal that is clear.
enum Icon {
  static let svg = """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect x="4" y="1" width="8" height="14" rx="4" fill="#1a2128"/>\
    <circle cx="8" cy="5" r="2" fill="#57636e"/><circle cx="8" cy="11" r="2" fill="#5bc98a"/></svg>

    """
}

/// The one style sheet: system fonts, light and dark by the reader's system, quiet where all is well.
enum StyleSheet {
  /// With its content's hash, so that a browser may keep it for good.
  static let path = "/style-\(String(ContentHash.of(Array(text.utf8).span), radix: 16)).css"

  static let text = """
    :root{color-scheme:light dark;--back:#fff;--text:#1a2128;--quiet:#57636e;--line:#d5dbe0;--link:#14568c;
    --live:#1f6fa8;--late:#6b6b6b;--silent:#161616;--warn:#7a6300;--bad:#83074f;--p2:#94790e;--p1:#5a2c05;--p0:#83074f;--main:#14568c;--main-text:#fff}
    @media(prefers-color-scheme:dark){:root{--back:#11161b;--text:#e6eaee;--quiet:#9fabb6;--line:#2d3841;--link:#7db9e8;
    --live:#5b9bc9;--late:#b4b4b4;--silent:#fff;--warn:#ffc203;--bad:#ff6b8f;--p2:#ffc203;--p1:#f87f3c;--p0:#fe3667;--main:#7db9e8;--main-text:#0c1116}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--back);color:var(--text);font:16px/1.45 system-ui,sans-serif}
    header{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center;padding:.5rem 1rem;border-bottom:1px solid var(--line)}
    nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem;flex:1}
    main{padding:0 1rem;max-width:90rem}
    footer{padding:1rem;color:var(--quiet);font-size:.875rem}
    h1,h2,p,li{overflow-wrap:anywhere}h1{font-size:1.4rem;margin:1rem 0 .5rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
    a{color:var(--link)}nav a{text-decoration:none;padding:.5rem 0}
    .wide{overflow-x:auto}
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}
    th{font-weight:600;text-align:left;color:var(--quiet);font-size:.875rem}
    th,td{padding:.25rem 1rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
    td.long{white-space:pre-wrap;min-width:14rem;max-width:44rem;overflow-wrap:anywhere}
    @media(max-width:40rem){nav{flex-basis:100%}table,tbody,tr,td{display:block}thead{position:absolute;left:-100rem}
    tr{border-bottom:1px solid var(--line);padding:.5rem 0}
    td{border:0;padding:0;display:inline-block;margin-right:.75rem;white-space:normal;overflow-wrap:anywhere;max-width:100%}
    td.long{display:block;min-width:0}td:empty{display:none}
    td:not(.long)::after{content:" " attr(data-h);color:var(--quiet);font-size:.75rem;font-weight:400;text-transform:lowercase}}
    .quiet,.who{color:var(--quiet)}
    .done{border-left:.25rem solid var(--live);padding:.25rem .75rem;font-weight:600}
    .notice{border-left:.25rem solid var(--bad);padding:.25rem .75rem;font-weight:600}
    pre{white-space:pre-wrap;overflow-wrap:anywhere;font:.875rem/1.4 ui-monospace,monospace;border-left:.25rem solid var(--line);padding:.25rem .75rem;margin:.5rem 0}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:.75rem 1.5rem}
    figure{margin:0}figcaption{font-size:.875rem;color:var(--quiet)}
    svg{width:100%;height:5.5rem;border-bottom:1px solid var(--line);background:var(--back);display:block}
    polyline{fill:none;stroke:var(--live);stroke-width:1.5;vector-effect:non-scaling-stroke}polygon{fill:var(--live);opacity:.2}
    code{font:.875rem ui-monospace,monospace}
    label{display:inline-flex;gap:.5rem;align-items:center}select{background:var(--back);max-width:min(100%,24rem)}label{max-width:100%}form{display:inline-flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin:.25rem .5rem .25rem 0}
    .wide:has(+.wide),.wide+.wide{display:inline-block;vertical-align:top;max-width:100%;margin-right:2rem}
    header form{margin:0}form:has(textarea),label:has(textarea){display:flex;flex-direction:column;align-items:stretch;max-width:70rem}
    textarea{font:.9rem/1.4 ui-monospace,monospace;color:inherit;background:transparent;border:1px solid var(--quiet);border-radius:.25rem;padding:.5rem .75rem;width:100%;box-sizing:border-box;tab-size:2}form:has(textarea) button{align-self:start}
    input,select,button{font:inherit;color:inherit;background:transparent;border:1px solid var(--quiet);border-radius:.25rem;padding:.5rem .75rem;min-height:2.75rem;max-width:100%;box-sizing:border-box}
    button{cursor:pointer}button.main{background:var(--main);border-color:var(--main);color:var(--main-text);font-weight:600}
    :focus-visible{outline:.2rem solid var(--link);outline-offset:.1rem}
    .s-live,.s-resolved,.s-completed{color:var(--live)}.s-late,.s-waiting,.s-muted,.s-revoked{color:var(--late)}
    .s-silent{color:var(--silent);font-weight:600}.s-acked,.s-P2,.s-WARN{color:var(--warn)}
    .s-open,.s-P0,.s-P1,.s-failed,.s-ERROR{color:var(--bad);font-weight:600}
    .s-live::before{content:"\\25CF  "}.s-late::before{content:"\\25D0  "}.s-silent::before,.s-waiting::before{content:"\\25CB  "}
    .map{margin:.5rem 0}canvas{display:none;width:100%}canvas.drawn{display:block}.map-key{padding-left:1rem}
    .choices a{padding:.25rem .5rem;display:inline-block}.choices a[aria-current]{color:inherit;text-decoration:none;font-weight:600}
    .old td.n,.old small,time.old{color:var(--late)}small{font-size:.75rem}
    .hidden{position:absolute;left:-100rem}dialog{color:inherit;background:var(--back);border:1px solid var(--quiet)}
    dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}dd{margin:0}kbd{font:.875rem ui-monospace,monospace}
    .s-P0::before{content:"\\25C6  "}.s-P1::before{content:"\\25A0  "}.s-P2::before{content:"\\25B2  "}

    """ + charts + parallel
}
