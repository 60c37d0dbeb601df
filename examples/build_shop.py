"""Build the PDF and DOCX documents of the sample shop from the text kept below.

Run `python examples/build_shop.py` after editing a text; the files in `examples/shop/` are rewritten. Needs reportlab
and python-docx. The output is the same on every run: neither format keeps a build time.

The texts use a small markup: `# title`, `## heading`, `- bullet`, `1. step`, `| cell | cell |` for a table row (the
first row is the header), and blank lines between paragraphs.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

from docx import Document
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, StyleSheet1, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

SHOP = Path(__file__).parent / "shop"
COMPANY = "Wickenholt Lamps"
EDITION = datetime(2026, 2, 1)
FRAME_PADDING = 12  # points: reportlab keeps 6 free on either side of a frame

HERON = """
# Heron floor lamp: assembly and use

Thank you for choosing a Heron. One person can put it together in about 25 minutes. Please read the section on safety
before you plug the lamp in, and keep this guide: it also helps when you move house.

## What is in the carton

| Part | Name | Number |
| H-01 | Cast base | 1 |
| H-04 | Column, in two pieces | 2 |
| H-07 | Arm with counterweight | 1 |
| H-09 | Shade with opal diffuser | 1 |
| H-12 | Hex key, 4 mm | 1 |
| H-15 | Levelling feet | 3 |

You need no tools of your own. The bulb is not included.

## Size and weight

The Heron stands 158 cm tall, and its arm reaches 74 cm from the column. The lamp weighs 8.6 kg, of which the base
alone makes up 5.2 kg. The cable is 2.5 m long and leaves the base at the back. A foot switch sits on the cable, 60 cm
from the base.

## Assembly

1. Lay a blanket on the floor and put the base on it, upside down. Screw in the three levelling feet.
2. Turn the base over. Push the cable through the lower column and screw the column into the base by hand until it
stops.
3. Join the two columns. Tighten the small set screw with the hex key; a quarter turn after you feel resistance is
enough.
4. Slide the arm onto the column with the counterweight towards the wall, and close the red clip. The clip must click.
5. Hang the shade on the arm last, then fit the bulb.

Do not lift the lamp by the arm. Hold the column with one hand and the base with the other.

## The right bulb

Use an E27 LED bulb of 15 W at most. A bulb with a diameter of more than 95 mm touches the diffuser and must not be
used. We recommend 1,100 lumens for reading and 470 lumens for the corner of a room.

## Using the foot switch

A short press switches the lamp on and off. Hold the foot switch down to change the brightness; there are four steps.
The lamp remembers the last step. If the steps are lost, unplug the lamp for 30 seconds, plug it in again and hold the
switch for five seconds: the dimmer is then back in the state in which it left the workshop.

## Adjusting the arm

The arm should stay where you leave it. If it sinks, turn the tension screw under the joint clockwise by a quarter
turn with the hex key. If it is hard to move, turn the same screw back. Put one drop of sewing-machine oil on the
joint every two years; do not use spray grease, because it dissolves the nylon washer.

## Carpets and sloping floors

The levelling feet make up for differences of up to 8 mm. On carpets with a pile of more than 20 mm the lamp needs the
wide foot plate, part H-17, which costs €14. The plate is screwed on in place of the levelling feet.

## Safety

- Keep 30 cm between the shade and curtains, shelves or walls.
- Unplug the lamp before you change the bulb and let it cool for ten minutes.
- The Heron is made for dry rooms. It has no protection against splashing water.
- Children under three should not play beneath the arm, because the counterweight can pinch fingers.

## If something does not work

| What you see | What to do |
| The lamp stays dark | Press the foot switch, then try the bulb in another lamp |
| The light goes out after some minutes | The bulb is too strong; the heat guard has switched off. Wait 20 minutes |
| The column wobbles | Tighten the set screw between the two columns |
| The lamp hums on step one | Change the bulb for one that is marked dimmable |

## Moving house

Take off the shade, then open the red clip and lift off the arm. Leave the column in the base if the lamp goes by car.
For a removal van, unscrew the column and use the original carton. If you no longer have it, a new carton with paper
pulp inserts costs €16 from our spare parts desk.
"""

CARE = """
# Care and cleaning

A soft brush and a dry cloth are nearly all that a lamp needs. Unplug the lamp, wait until it is cold, and start with
the mildest method. This booklet goes through our materials one by one.

## How often

| Material | Dusting | Thorough care |
| Linen shades | every two weeks | once a year |
| Paper shades | once a week | never wet |
| Opal glass | every two weeks | twice a year |
| Lacquered brass | once a month | once a year |
| Unlacquered brass | once a month | as you like it |
| Powder-coated metal | once a month | when it is marked |
| Ash and oak | once a month | once a year |

## Linen shades

Brush linen from top to bottom with a soft clothes brush. For marks, mix a teaspoon of mild soap into a litre of
lukewarm water and dab with a white cloth; do not rub. Let the shade dry for 24 hours before you switch the lamp on.
Never use the washing machine and never use stain remover, which loosens the glue at the rings. A vacuum cleaner is
fine with the brush attachment at its lowest power.

## Paper shades

Paper must stay dry. Use a feather duster or a hair dryer on its cold setting. A small tear can be mended from the
inside with Japanese tissue and wheat paste; we post a mending kit with enough tissue for three tears for €6.

## Opal glass

Take the glass off and wash it by hand at no more than 40 °C. Do not put it in the dishwasher, because the heat makes
the inner layer cloudy. White spots of lime go away with one part vinegar in four parts water. Rinse, and let the
glass dry completely before you put it back. Tighten the three glass screws only with your fingertips.

## Brass

Lacquered brass needs only a damp cloth. Metal polish ruins the lacquer within a single cleaning. You can tell
lacquered brass by the letter L stamped next to the serial number.

Unlacquered brass darkens within three to six months, and most people like it that way. If you want it bright again,
rub it with a paste of lemon juice and baking soda, wait five minutes, rinse and dry. A thin coat of beeswax slows the
darkening for about four months.

## Powder-coated metal

Chalk white, sage green and ink blue are powder coats. Wipe them with a damp microfibre cloth and a drop of washing-up
liquid. Scuffs on chalk white come off with a white eraser. Do not use scouring cream or alcohol. For chips of up to 5
mm we sell a touch-up pen in all three colours for €7.50; apply two thin coats, four hours apart.

## Ash and oak

Wooden bases are finished with hard oil. Dust along the grain. Once a year rub in a teaspoon of linseed oil, wait 15
minutes and wipe off what is left. Spread oily cloths out to dry outdoors before you throw them away: crumpled cloths
can catch fire by themselves. Water rings disappear with fine steel wool, grade 0000, before oiling.

## Fabric cables

Cables collect dust like shades do. Wipe them with a dry cloth, always away from the plug. A cable with a worn spot
must not be used any more; the workshop replaces it.

## Smoke, insects and kitchens

- Nicotine cannot be removed from linen or paper. Replace the shade.
- Insects inside a closed glass: switch off, unscrew the glass, and shake it out. Do not spray insect killer near a
lamp.
- In kitchens, grease binds dust. Clean metal and glass every month and choose opal glass over fabric within two
metres of a cooker.

## Storing a lamp

Store lamps dry, between 5 and 30 °C, and wrap shades in tissue paper, not in plastic, where mould can form. Take the
bulb out. Charge an Otter to about half before storing it, and charge it again every six months, because an empty
battery ages quickly.
"""

DRIFT = """
# Drift pendant: planning and installation

The Drift hangs from the ceiling and comes in three diameters. This document helps you to choose the right size and
tells your electrician what to expect.

## The three sizes

| Diameter | Weight | Cord supplied | Bulb | Suits a table of |
| 32 cm | 1.4 kg | 1.5 m | E27, up to 10 W | up to 90 cm |
| 45 cm | 2.3 kg | 2 m | E27, up to 15 W | 90 to 140 cm |
| 60 cm | 3.6 kg | 3 m | E27, up to 18 W | 140 to 200 cm |

For tables longer than two metres we recommend two pendants of 45 cm, hung 80 cm apart.

## Who may install it

The Drift is connected to the fixed wiring of the house, so it must be installed by a qualified electrician. The
warranty on electrical parts lapses if the lamp has been connected by somebody else. Please keep the invoice.

## Choosing the height

Over a dining table, the lower edge of the shade should hang 70 cm above the table top. In halls and other places
where people walk beneath the lamp, leave at least 210 cm between the floor and the shade. In stairwells, measure from
the step right below the lamp.

## The ceiling

The hook and the plug must carry five times the weight of the lamp. In plasterboard ceilings use a toggle bolt, never
an ordinary plug. The ceiling cup is 11 cm wide and 4.5 cm high and hides an outlet that is up to 3 cm off centre.

On sloping ceilings of up to 30 degrees the Drift hangs straight with the standard cup. From 30 to 45 degrees you need
the sloping-ceiling adapter for €18. Steeper ceilings are not suitable.

## Shortening and lengthening the cord

The cord can be shortened inside the ceiling cup. Leave 15 cm of spare cord there. A pendant whose cord has been cut
cannot be returned, so wind the spare length up with the cord clip until you are sure.

Longer cords must be ordered with the lamp. Each further metre costs €6, up to a total of six metres. Longer cords
cannot be added later, because the cord is clamped inside the shade.

## Connection

1. Switch off the circuit at the fuse box and check that it is dead.
2. Screw the bracket to the ceiling and hang the lamp on the safety hook.
3. Connect brown to live, blue to neutral and green-yellow to earth.
4. Push the ceiling cup up and tighten the side screw by hand.
5. Fit the bulb, switch the power on and test the lamp for ten minutes.

The Drift is made for 220 to 240 V at 50 Hz. It has protection class I, so it needs an earth wire. It must not be used
in bathrooms, in saunas or outdoors.

## Dimming

The Drift has no dimmer of its own. With a dimmable bulb it works on any trailing-edge wall dimmer with a minimum load
of 5 W. Several pendants can share one dimmer as long as their bulbs together stay below its maximum load.

## Clusters

Up to three pendants of 32 cm can hang from the small cluster plate, which is 30 cm wide, and up to five from the
large one, which is 50 cm wide. Pendants of 45 and 60 cm cannot be clustered. A cluster plate needs a single outlet.
Cords in a cluster are cut to the lengths you give us, at no extra charge.

## Having it installed

In Ireland our fitting partners install a pendant for €85, including travel within 40 km of Dublin, Cork, Galway or
Limerick. Each further pendant on the same visit costs €35. Please book at least ten days ahead. A visit can be moved
free of charge up to 48 hours before; after that we charge €40. The partners take down one old lamp per pendant and
carry away the packaging. They do not chase walls or lay new cables.

## Before you call us

| Symptom | Likely cause |
| The shade hangs crooked | The cord is not seated in the clip inside the shade |
| The light flashes after switching off | A wall switch with a built-in glow lamp feeds the bulb |
| The fuse trips at once | Live and earth have been swapped |
"""

SHOWROOM = """
# Showroom, tours and classes

Our showroom is in the old tannery at 4 Tannery Yard, Merrowdale. Every lamp hangs or stands there, switched on, next
to the workshop in which it was made.

## Opening hours

| Day | Hours |
| Monday | closed |
| Tuesday to Friday | 10:00 to 18:00 |
| Saturday | 10:00 to 17:00 |
| Sunday | closed |

On the last Thursday of every month we stay open until 20:30. The showroom is closed on public holidays and from 24
December to 2 January.

## Getting here

The bus stop Tannery Bridge is four minutes away on foot; line 7 runs every 20 minutes from Merrowdale station. There
are eight parking spaces in the yard, free for two hours. Two of them have a charging point for electric cars, which
costs nothing while you are in the showroom. Bicycles can be locked under the roof beside the gate.

The ground floor is step-free. A lift takes you to the shade studio on the first floor; its door is 82 cm wide. There
is an accessible toilet next to the till. Dogs on a lead are welcome in the showroom, but not in the workshop.

## Trying lamps

In the dark room you can see a lamp at any time of day as it looks in the evening. Bring a cushion or a piece of
wallpaper if you want to match colours. You may take one table lamp home over the weekend: we lend it from Saturday
noon until Tuesday evening against a card deposit of the full price. Heron and Drift are not lent.

A consultation of 45 minutes with a lighting adviser is free. Please book it three days ahead. Drawings of your rooms
and a few photographs help a great deal.

## Workshop tours

Tours take place on the first Saturday of every month at 11:00 and last 75 minutes. A ticket costs €9, and children
under 12 come free. A group has at most 14 people. You will see the brass lathe, the spray booth and the engraving
bench. Closed shoes are required, and glasses and ear plugs are provided. Photographs are allowed everywhere except at
the design desk.

## Classes

| Class | Length | Price | Places |
| Make a paper shade | 2.5 hours | €55 | 10 |
| Sew a linen drum shade | 5 hours | €95 | 8 |
| Rewire an old table lamp | 3 hours | €70 | 6 |

All material and tea are included, and in the linen class a light lunch as well. The shade you make is yours. For the
rewiring class please bring a lamp of your own, no taller than 70 cm and with a metal or wooden body.

Classes are held on Saturdays from 13:00 and are taught in English. They are open to everybody from the age of 14;
anybody under 16 needs an adult who takes part as well. You need no experience.

### Booking and cancelling

Book on the page Classes or at the till. You can cancel free of charge up to ten days before the class. Up to three
days before, we refund half of the price; after that there is no refund, but you may send somebody else in your place.
If we have to cancel because fewer than four people have booked, you choose between another date and your money back.

## Private groups

Groups of six to ten people can book the shade studio for themselves on a weekday evening. The price is €480 for three
hours with one teacher and all material for paper shades. Ask at least four weeks ahead by writing to
classes@wickenholt.example. You may bring your own food and soft drinks, but no open flames.

## At the till

The showroom takes cards and cash. Purchases made there can be returned there or by post, under the same terms as
online orders. We deliver from the showroom to your home at the usual shipping prices.
"""


@dataclass(frozen=True)
class Block:
    """One piece of a document: `kind` is title, heading, subheading, bullet, step, row or paragraph."""

    kind: str
    text: str

    def cells(self) -> list[str]:
        return [cell.strip() for cell in self.text.strip("|").split("|")]


MARKS = [
    ("subheading", re.compile(r"### ")),
    ("heading", re.compile(r"## ")),
    ("title", re.compile(r"# ")),
    ("bullet", re.compile(r"- ")),
    ("step", re.compile(r"\d+\. ")),
    ("row", re.compile(r"(?=\|)")),
]


def parse(source: str) -> list[Block]:
    """Split the markup into blocks; lines without a mark continue the block above them."""
    blocks: list[Block] = []
    for chunk in source.strip().split("\n\n"):
        open_block = False
        for line in chunk.splitlines():
            kind, text = classify(line)
            if kind == "paragraph" and open_block:
                blocks[-1] = Block(blocks[-1].kind, f"{blocks[-1].text} {text}")
            else:
                blocks.append(Block(kind, text))
            open_block = True
    return blocks


def classify(line: str) -> tuple[str, str]:
    for kind, mark in MARKS:
        if match := mark.match(line):
            return kind, line[match.end() :]
    return "paragraph", line


def grouped(blocks: list[Block]) -> Iterator[list[Block]]:
    """Yield runs of neighbouring blocks of one kind, so that rows make a table and steps make a list."""
    run: list[Block] = []
    for block in blocks:
        if run and (block.kind != run[0].kind or block.kind not in {"row", "step", "bullet"}):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def pdf_styles() -> StyleSheet1:
    styles = getSampleStyleSheet()
    body = ParagraphStyle(
        "Text", parent=styles["BodyText"], fontName="Helvetica", fontSize=10, leading=14, spaceAfter=6
    )
    styles.add(body)
    styles.add(ParagraphStyle("Item", parent=body, leftIndent=14, bulletIndent=2, spaceAfter=3))
    styles.add(ParagraphStyle("Cell", parent=body, fontSize=9, leading=12, spaceAfter=0))
    styles.add(ParagraphStyle("CellHead", parent=styles["Cell"], fontName="Helvetica-Bold"))
    return styles


def pdf_table(rows: list[Block], styles: StyleSheet1, width: float) -> Table:
    head, *body = [row.cells() for row in rows]
    data = [[Paragraph(cell, styles["CellHead"]) for cell in head]]
    data += [[Paragraph(cell, styles["Cell"]) for cell in cells] for cells in body]
    table = Table(data, colWidths=[width / len(head)] * len(head), spaceAfter=8, spaceBefore=2)
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#cbbf9c")),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f3eddc")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table


def pdf_run(run: list[Block], styles: StyleSheet1, width: float) -> list[Flowable]:
    kind = run[0].kind
    if kind == "row":
        return [pdf_table(run, styles, width)]
    if kind == "bullet":
        return [Paragraph(block.text, styles["Item"], bulletText="\u2022") for block in run]
    if kind == "step":
        return [Paragraph(block.text, styles["Item"], bulletText=f"{n}.") for n, block in enumerate(run, start=1)]
    style = {"title": "Title", "heading": "Heading2", "subheading": "Heading3"}.get(kind, "Text")
    return [Paragraph(run[0].text, styles[style])]


def pdf_sections(blocks: list[Block], width: float) -> list[Flowable]:
    """Lay out the blocks with each section kept on one page, so that no sentence is cut by a page break."""
    styles = pdf_styles()
    sections: list[list[Flowable]] = [[]]
    for run in grouped(blocks):
        if run[0].kind == "heading":
            sections.append([])
        sections[-1].extend(pdf_run(run, styles, width))
    return [item for section in sections for item in (KeepTogether(section), Spacer(1, 2 * mm))]


def write_pdf(source: str, path: Path) -> None:
    blocks = parse(source)
    title = blocks[0].text

    def footer(canvas: Canvas, template: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(22 * mm, 12 * mm, f"{COMPANY}  |  {title}")
        canvas.drawRightString(A4[0] - 22 * mm, 12 * mm, f"Page {template.page}")

    margins = {"leftMargin": 22 * mm, "rightMargin": 22 * mm, "topMargin": 20 * mm, "bottomMargin": 22 * mm}
    template = SimpleDocTemplate(str(path), pagesize=A4, title=title, author=COMPANY, invariant=1, **margins)
    template.build(pdf_sections(blocks, template.width - FRAME_PADDING), onFirstPage=footer, onLaterPages=footer)


DOCX_STYLES = {
    "title": "Title",
    "heading": "Heading 1",
    "subheading": "Heading 2",
    "bullet": "List Bullet",
    "step": "List Number",
    "paragraph": "Normal",
}


def write_docx(source: str, path: Path) -> None:
    document = Document()
    blocks = parse(source)
    properties = document.core_properties
    properties.title, properties.author, properties.comments = blocks[0].text, COMPANY, ""
    properties.created = properties.modified = EDITION
    for run in grouped(blocks):
        if run[0].kind == "row":
            head, *body = [row.cells() for row in run]
            table = document.add_table(rows=0, cols=len(head), style="Light Grid Accent 1")
            for cells in (head, *body):
                for cell, text in zip(table.add_row().cells, cells, strict=True):
                    cell.text = text
            document.add_paragraph()
            continue
        for block in run:
            document.add_paragraph(block.text, style=DOCX_STYLES[block.kind])
    buffer = BytesIO()
    document.save(buffer)
    path.write_bytes(with_fixed_times(buffer))


def with_fixed_times(archive: BytesIO) -> bytes:
    """Return the same zip archive with one date on every entry, so that a rebuild changes no byte."""
    result = BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            fixed = zipfile.ZipInfo(entry.filename, date_time=(EDITION.year, EDITION.month, EDITION.day, 0, 0, 0))
            fixed.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(fixed, old.read(entry.filename))
    return result.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=SHOP, help="folder to write to (default: examples/shop)")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_pdf(HERON, out / "heron-floor-lamp-guide.pdf")
    write_pdf(CARE, out / "care-and-cleaning.pdf")
    write_docx(DRIFT, out / "drift-pendant-installation.docx")
    write_docx(SHOWROOM, out / "showroom-and-classes.docx")


if __name__ == "__main__":
    main()
