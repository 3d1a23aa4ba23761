/** The style of the page. It holds nothing that HTML would have to escape: it is put in as it is. */
export const STYLE = `
:root{color-scheme:light dark;--text:#1c1c1a;--soft:#5b5b57;--line:#dcdcd6;--back:#fdfdfb;--code:#f1f1ec;--link:#0b5cad}
@media (prefers-color-scheme:dark){:root{--text:#e6e6e1;--soft:#a3a39d;--line:#3a3a37;--back:#1a1a18;--code:#262623;--link:#7db5f0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:78rem;padding:1rem;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem}h2{font-size:1.3rem;margin:2rem 0 .5rem}h3{font-size:1.1rem;margin:0}h4{font-size:.95rem;margin:1rem 0 .25rem}
a{color:var(--link)}code,pre{font-family:ui-monospace,monospace;font-size:.875em}
pre{background:var(--code);padding:.75rem;overflow-x:auto;overflow-wrap:normal;border-radius:4px}
article{border-top:1px solid var(--line);padding:1rem 0}article:target,li:target{background:var(--code)}
ul{padding-left:1.1rem;margin:.25rem 0}li{margin:.25rem 0}.form{margin-top:.5rem}
.type{color:var(--soft)}.route{margin:.25rem 0;color:var(--soft)}.route code{color:var(--text)}
nav{font-size:.9rem;border-bottom:1px solid var(--line)}nav h2{font-size:1rem;margin:.75rem 0 0}
@media (min-width:60rem){body{display:grid;grid-template-columns:16rem 1fr;column-gap:2.5rem}header{grid-column:1/-1}nav{border:0;position:sticky;top:0;max-height:100vh;overflow-y:auto}main{min-width:0}}
`;
