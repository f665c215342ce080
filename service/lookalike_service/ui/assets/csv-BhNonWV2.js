function e(e){let t=e=>{let t=/^[=+\-@\t\r]/.test(e)?`'${e}`:e;return/[",\r\n]/.test(t)?`"${t.replaceAll(`"`,`""`)}"`:t};return e.map(e=>e.map(t).join(`,`)+`\r
`).join(``)}export{e as t};